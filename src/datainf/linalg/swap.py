"""How wrong DataInf's swap is: the mean of inverses for the inverse of the mean.

    S_i = g_i g_iᵀ + λI,    H = (1/N) Σᵢ g_i g_iᵀ,    P = (1/N) Σᵢ S_i⁻¹
    error = ‖(H + λI)⁻¹ − P‖₂                                     (spectral norm)

N examples, d parameters of one block. Theorem 1 of Kwon et al. (ICLR 2024,
arXiv:2310.00902) bounds the error by O(d²). With Sherman-Morrison λP = I − M, where
M = (1/N) Σᵢ g_i g_iᵀ / (λ + ‖g_i‖²), so that M ⪰ 0 and tr M < 1; and P ⪰ (H + λI)⁻¹,
since inversion is operator convex. Both inverses are at most I/λ: the error is too.

Outside of the span of the rows both inverses are I/λ, so everything is computed inside
of it, in float64, by eigenvalues: O(Nd·m + m³) time for m = min(d, N).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from datainf.core.errors import OptionError


@dataclass(frozen=True)
class Swap:
    """What the swap does in one block.

    Attributes:
        error: ‖(H + λI)⁻¹ − P‖₂.
        inverse: ‖(H + λI)⁻¹‖₂, to which the error is relative.
        trace: tr M.
        least_of_m: Smallest eigenvalue of M.
        least_gap: Smallest eigenvalue of λ (P − (H + λI)⁻¹).
    """

    error: float
    inverse: float
    trace: float
    least_of_m: float
    least_gap: float


def swap_error(g: Float[Tensor, "N d"], *, damping: float) -> Swap:
    """Compare the mean of rank-one inverses with the inverse of the mean.

    Args:
        g: Per-example gradients of one block, in any number format.
        damping: λ, in squared-gradient units.

    Returns:
        The error, what it is relative to, and what can be proved about it.

    Raises:
        OptionError: If λ is not positive.

    Examples:
        >>> found = swap_error(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), damping=1.0)
        >>> round(found.error, 4), round(found.inverse, 4), round(found.trace, 4)
        (0.0833, 0.6667, 0.5)
    """
    if not damping > 0:
        raise OptionError(f"λ must be positive, got {damping}.")
    count, size = g.shape
    rows = _in_their_span(g.double())
    whole = rows.shape[1] == size
    squares, axes = torch.linalg.eigh(rows.T @ rows / count)
    squares = squares.clamp(min=0)
    inverse = (axes * (damping / (damping + squares))) @ axes.T  # λ (H + λI)⁻¹
    weights = 1 / (damping + rows.square().sum(dim=1))
    m = (rows.T * weights) @ rows / count
    gaps = torch.linalg.eigvalsh(torch.eye(len(m), dtype=m.dtype) - m - inverse)
    least_of_m = float(torch.linalg.eigvalsh(m)[0])
    # Outside of the span M and the gap are exactly zero, and H adds nothing to λ.
    lowest = float(squares[0]) if whole else 0.0
    return Swap(
        error=float(gaps.abs().max()) / damping,
        inverse=1 / (damping + lowest),
        trace=float(m.trace()),
        least_of_m=least_of_m if whole else min(least_of_m, 0.0),
        least_gap=float(gaps[0]) if whole else min(float(gaps[0]), 0.0),
    )


def _in_their_span(g: Float64[Tensor, "N d"]) -> Float64[Tensor, "N m"]:
    """Write the rows in an orthonormal basis of at most N directions."""
    if g.shape[1] <= len(g):
        return g
    return torch.linalg.qr(g.T, mode="r").R.T
