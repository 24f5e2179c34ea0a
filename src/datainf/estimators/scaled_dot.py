"""`scaled-dot`: the gradient product weighted by 1/λ a block, without curvature.

    I(z_k) = −Σ_l (1/λ_l) v_lᵀ g_{l,k}

The part of DataInf that is left when its curvature is taken out: what the two differ by
is curvature, what this and `dot` differ by are the blocks' weights. Ranks as `dot` when
there is one curvature group. Costs O(NQD) and one reading. N examples, Q queries, D = Σ
d_l.
"""

from dataclasses import dataclass
from typing import ClassVar

from datainf.estimators.base import Estimator
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows


@dataclass(frozen=True, kw_only=True)
class ScaledDot(Estimator):
    """Minus the gradient product, each group divided by its λ."""

    name: ClassVar[str] = "scaled-dot"
    flat: ClassVar[bool] = True

    def prepare(
        self,
        rows: GroupRows,  # noqa: ARG002 - λ is all it takes from the curvature
        damping: float,
    ) -> Solver:
        """Divide queries by λ."""
        return lambda v: Solution(v / damping)
