"""Solve (H + λI) x = v in one group directly, in float64, on the smaller of two sides.

N curvature rows, d parameters of the group.
"""

from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows
from datainf.linalg.woodbury import (
    ExampleSide,
    ParameterSide,
    factor_example_side,
    factor_parameter_side,
)


def direct_solver(rows: GroupRows, damping: float) -> Solver:
    """Factor the smaller side.

    Args:
        rows: Curvature rows; read once, and thrice a solution on the N×N side.
        damping: λ.

    Returns:
        Solves for any query gradients.
    """
    rows = rows.in_float64()
    side: ParameterSide | ExampleSide
    if rows.size <= rows.count:
        side = factor_parameter_side(
            rows,
            size=rows.size,
            damping=damping,
            count=rows.count,
            device=rows.device,
        )
    else:
        side = factor_example_side(
            rows,
            rows.slabs(),
            damping=damping,
            count=rows.count,
            device=rows.device,
        )
    return lambda v: Solution(*side.solve(v.double()))
