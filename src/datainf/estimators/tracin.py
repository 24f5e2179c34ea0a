"""`tracin`: what training on an example did to a query's loss, step by step.

    I(z_k) = −Σ_m η_m Σ_l v_{m,l}ᵀ g_{m,l,k}

over checkpoints m, gradients taken at each, η_m the learning rate between the
checkpoint before and this one (TracInCP: Pruthi et al., NeurIPS 2020, arXiv:2002.08484;
the first-order change of the query's loss by plain gradient steps on z_k). Of one
checkpoint: η × `dot`. Exact as itself. Costs O(MNQD) and one reading of each
checkpoint's candidates. M checkpoints, N examples, Q queries, D = Σ d_l.
"""

from dataclasses import dataclass
from typing import ClassVar

from datainf.estimators.base import Estimator
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows


@dataclass(frozen=True, kw_only=True)
class TracIn(Estimator):
    """Gradient products, added up along training."""

    damping: float | str | None = None

    name: ClassVar[str] = "tracin"
    flat: ClassVar[bool] = True
    divides: ClassVar[bool] = False
    compared: ClassVar[bool] = False
    follows_training: ClassVar[bool] = True

    def prepare(
        self,
        rows: GroupRows,  # noqa: ARG002 - there is no curvature in it
        damping: float,  # noqa: ARG002
    ) -> Solver:
        """Take queries as they are."""
        return Solution
