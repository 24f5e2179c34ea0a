"""`exact`: Eq. 2 of Kwon et al., ICLR 2024, arXiv:2310.00902, solved directly.

    I(z_k) = −Σ_l v_lᵀ (G_l + λ_l I)⁻¹ g_{l,k},   G_l = (1/N) Σᵢ g_{l,i} g_{l,i}ᵀ

by the smaller side: d×d, or N×N through Woodbury, so any LoRA rank will do. All
arithmetic is float64, whatever the gradients are. Costs O(Nd·min(d, N) + min(d, N)³) a
group; memory is two square float64 matrices of min(d, N), for one group at a time, and
a few `[Q, d]`. N examples, Q queries, d parameters of a group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from datainf.core.errors import OptionError
from datainf.estimators.base import Estimator
from datainf.estimators.checks import require_count
from datainf.estimators.direct import direct_solver
from datainf.estimators.problem import Solver
from datainf.estimators.stream import GroupRows

_GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Exact(Estimator):
    """The damped inverse itself.

    Attributes:
        max_bytes: Most memory of one square matrix, 8 min(d, N)² bytes; two are held.
    """

    max_bytes: int = 4 * _GIB

    name: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        require_count(self.name, "max_bytes", self.max_bytes)

    def require_room(self, sizes: Mapping[str, int], count: int) -> None:
        """Refuse a group whose smaller side makes too large a matrix.

        Args:
            sizes: Group name -> d.
            count: Number of curvature rows, N.

        Raises:
            OptionError: If there is one.
        """
        for group, size in sizes.items():
            side = min(size, count)
            if 8 * side**2 > self.max_bytes:
                raise OptionError(
                    f"exact: curvature group {group} (d = {size}, N = {count}) needs a "
                    f"{side}×{side} matrix of {8 * side**2 / _GIB:.3g} GiB, max_bytes "
                    f"allows {self.max_bytes / _GIB:.3g} GiB; use smaller blocks=, "
                    "fewer curvature rows, method='cg', or raise max_bytes."
                )

    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Factor the smaller side.

        Args:
            rows: Curvature rows; read once, and thrice a solution on the N×N side.
            damping: λ.

        Returns:
            Solves for any query gradients.
        """
        return direct_solver(rows, damping)
