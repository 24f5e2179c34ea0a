"""`lissa`: Eq. 2 by the Neumann recursion, scaled, with a verdict on convergence.

    r₀ = v,   r_j = v + (I − (G_l + λ_l I)/s) r_{j−1},   x = r/s

(Agarwal et al., JMLR 2017, arXiv:1602.03943; Kwon et al., ICLR 2024, arXiv:2310.00902,
without s.) λ is added; code published with the paper subtracts it and so tends to
another limit. s is the largest eigenvalue of G_l + λ_l I, estimated from a few readings
with a margin and never above trace + λ. Exact in the limit of many steps; the condition
number, some d_l / damping at worst, sets how many. Costs O(NQd) and a reading a step,
and 10 readings for s. Memory O(Qd + QN). N examples, Q queries, d parameters of a
group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import NonFiniteError
from datainf.estimators.base import Estimator
from datainf.estimators.checks import require_count, require_positive
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows
from datainf.linalg.neumann import neumann_solve
from datainf.linalg.power import largest_eigenvalue

_POWER_STEPS = 10

# The power iteration errs downwards; convergence needs more than half the eigenvalue.
_MARGIN = 1.1


@dataclass(frozen=True, kw_only=True)
class LiSSA(Estimator):
    """The damped inverse by its Neumann series.

    Attributes:
        steps: Steps at most; the paper's number by default.
        tolerance: Relative residual ‖(G + λI) x − v‖ / ‖v‖ of the worst query at which
            a group is done.
        scale: s for every group; estimated for each when None. 1 is the paper's
            recursion.
        seed: Seeds the power iteration.
    """

    steps: int = 10
    tolerance: float = 1e-5
    scale: float | None = None
    seed: int = 0

    name: ClassVar[str] = "lissa"

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        require_count(self.name, "steps", self.steps)
        require_count(self.name, "seed", self.seed, least=0)
        require_positive(self.name, "tolerance", self.tolerance)
        if self.scale is not None:
            require_positive(self.name, "scale", self.scale)

    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Find the scale of one group.

        Args:
            rows: Curvature rows; read for s, and once a step of every solution.
            damping: λ.

        Returns:
            Runs the recursion for any query gradients, with steps and error as facts;
            refuses a recursion that diverges, by the group's name.
        """
        scale = self.scale or self._scale(rows, damping)

        def solve(v: Float[Tensor, "Q d"]) -> Solution:
            try:
                end = neumann_solve(
                    rows,
                    v,
                    damping=damping,
                    scale=scale,
                    steps=self.steps,
                    tolerance=self.tolerance,
                    count=rows.count,
                )
            except NonFiniteError as error:
                raise NonFiniteError(
                    f"lissa, curvature group {rows.name}: {error}"
                ) from None
            facts = {"steps": float(end.steps), "error": end.error}
            return Solution(end.x, end.y, end.products, facts)

        return solve

    def notes(self, facts: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
        """Give the verdict: converged or not, by how much, after how many steps."""
        if not facts:
            return ()
        worst = max(facts, key=lambda group: facts[group]["error"])
        error = facts[worst]["error"]
        steps = int(max(each["steps"] for each in facts.values()))
        if error <= self.tolerance:
            return (
                f"converged: largest relative residual {error:.1e} "
                f"after {steps} steps.",
            )
        open_groups = sum(each["error"] > self.tolerance for each in facts.values())
        return (
            f"not converged: {open_groups} of {len(facts)} curvature groups miss the "
            f"tolerance {self.tolerance:.1e} after {steps} steps; largest relative "
            f"residual {error:.1e} in {worst}; raise steps or damping.",
        )

    def _scale(self, rows: GroupRows, damping: float) -> float:
        """Estimate the largest eigenvalue of G + λI, from above."""
        largest = largest_eigenvalue(
            rows,
            torch.empty(0, rows.size, dtype=rows.dtype, device=rows.device),
            count=rows.count,
            steps=_POWER_STEPS,
            seed=self.seed,
        )
        # no eigenvalue exceeds the trace, which squared lengths give
        return min(_MARGIN * largest, rows.trace()) + damping
