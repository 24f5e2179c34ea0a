"""`datainf`: the closed form of Kwon et al., ICLR 2024, arXiv:2310.00902, Eq. 4 and 5.

    I(z_k) = −Σ_l v_lᵀ [ (1/N) Σᵢ (g_{l,i} g_{l,i}ᵀ + λ_l I)⁻¹ ] g_{l,k}

Exact (equal to Eq. 2) for N = 1 and as λ → ∞; in between its error grows with d_l.
Costs O(NQD) and two readings of the curvature rows: one for x, one for its residual,
which gives the scores too when curvature rows and candidates are the same. Memory O(Qd
+ QN). N examples, Q queries, d parameters of a block, D = Σ d_l.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.estimators.base import Estimator
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows
from datainf.linalg.gram import apply_curvature, largest_product
from datainf.linalg.rank_one import mean_rank_one_solve

# Share of the first term, at every row, below which the difference of the two counts as
# lost: float32 then keeps three or four digits of it.
_CANCELLED = 1e-3


@dataclass(frozen=True, kw_only=True)
class DataInf(Estimator):
    """The mean of inverses in place of the inverse of the mean."""

    name: ClassVar[str] = "datainf"

    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Apply the mean of rank-one inverses, then look at what it leaves.

        Args:
            rows: Curvature rows; read twice a solution, and twice more in float64 where
                rows that nearly coincide (or a single one) leave float32 too few
                digits.
            damping: λ.

        Returns:
            Solves for any query gradients.
        """

        def solve(v: Float[Tensor, "Q d"], rows: GroupRows = rows) -> Solution:
            x, largest = mean_rank_one_solve(
                rows.with_squares(), v, damping=damping, count=rows.count
            )
            y, found = apply_curvature(rows, x, count=rows.count)
            left = damping * largest_product(rows, found, count=rows.count)
            lost = left < _CANCELLED * largest
            if v.dtype != torch.float64 and bool(lost.any()):
                return solve(v.double(), rows.in_float64())
            return Solution(x, y.add_(x, alpha=damping), found)

        return solve
