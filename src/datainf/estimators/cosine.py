"""`cosine`: minus the cosine between the query's and the candidate's gradient.

    I(z_k) = −Σ_l v_lᵀ g_{l,k} / (‖v‖ ‖g_k‖),   lengths over all blocks

(Barshan et al., AISTATS 2020, arXiv:2003.11630, measure it as "GC".) In [−1, 1]; a
gradient of length zero scores 0. Costs O(NQD) and one reading of the candidates. N
examples, Q queries, D = Σ d_l.
"""

from dataclasses import dataclass
from typing import ClassVar

from datainf.core.errors import OptionError
from datainf.core.options import Blocks, Normalize
from datainf.estimators.base import Estimator
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows


@dataclass(frozen=True, kw_only=True)
class Cosine(Estimator):
    """Minus the cosine; scaling the training gradients is part of the method."""

    damping: float | str | None = None
    blocks: Blocks | str | None = Blocks.TENSOR
    normalize: Normalize | str | None = Normalize.EXAMPLE

    name: ClassVar[str] = "cosine"
    flat: ClassVar[bool] = True
    divides: ClassVar[bool] = False
    unit_queries: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            OptionError: If one does not fit, `normalize="none"` among them.
        """
        super().__post_init__()
        if self.normalize != Normalize.EXAMPLE:
            raise OptionError(
                f"cosine scales every training gradient to unit length, got "
                f"normalize={str(self.normalize)!r}; leave it out, or use method='dot'."
            )

    def prepare(
        self,
        rows: GroupRows,  # noqa: ARG002 - there is no curvature in it
        damping: float,  # noqa: ARG002
    ) -> Solver:
        """Take queries as they are: lengths are divided out where rows are read."""
        return Solution
