"""`scaled-dot`: the gradient product weighted by 1/λ a block, without curvature.

    I(z_k) = −Σ_l (1/λ_l) v_lᵀ g_{l,k}

The part of DataInf that is left when its curvature is taken out: what the two differ by
is curvature, what this and `dot` differ by are the blocks' weights. Ranks as `dot` when
there is one curvature group. Costs O(NQD) and one reading. N examples, Q queries, D = Σ
d_l.
"""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from datainf.estimators.base import Estimator
from datainf.estimators.scoring import Solution
from datainf.estimators.stream import GroupRows


@dataclass(frozen=True, kw_only=True)
class ScaledDot(Estimator):
    """Minus the gradient product, each group divided by its λ."""

    name: ClassVar[str] = "scaled-dot"

    def solve(
        self,
        v: Float[Tensor, "Q d"],
        rows: GroupRows,  # noqa: ARG002 - λ is all it takes from the curvature
        damping: float,
    ) -> Solution:
        """Divide the query by λ."""
        return Solution(v / damping)
