"""`dot`: the gradient product, influence without any curvature ("Hessian-free").

    I(z_k) = −Σ_l v_lᵀ g_{l,k}

TracIn at the last checkpoint (Pruthi et al., NeurIPS 2020, arXiv:2002.08484), up to the
learning rate. Exact as itself; the limit of λ × `datainf` and λ × `exact` as λ → ∞.
Costs O(NQD) and one reading of the candidates. N examples, Q queries, D = Σ d_l.
"""

from dataclasses import dataclass
from typing import ClassVar

from datainf.estimators.base import Estimator
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows


@dataclass(frozen=True, kw_only=True)
class Dot(Estimator):
    """Minus the product of the query's and the candidate's gradient."""

    damping: float | str | None = None

    name: ClassVar[str] = "dot"
    flat: ClassVar[bool] = True
    divides: ClassVar[bool] = False

    def prepare(
        self,
        rows: GroupRows,  # noqa: ARG002 - there is no curvature in it
        damping: float,  # noqa: ARG002
    ) -> Solver:
        """Take queries as they are."""
        return Solution
