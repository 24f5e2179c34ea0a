"""A randomized Nyström preconditioner for ``GᵀG/N + λI``, from one reading of the rows.

N training examples, Q queries, d parameters of one block; H = GᵀG/N. With an
orthonormal random test matrix Ω of k columns,

    Ĥ = (HΩ) (ΩᵀHΩ)⁺ (HΩ)ᵀ = U Λ Uᵀ
    P⁻¹ = I + U diag((τ + λ)/(Λ + λ) − 1) Uᵀ,   τ the smallest of Λ, or 0 where Ĥ = H

(Frangella, Tropp and Udell, SIAM J. Matrix Anal. Appl. 2023, arXiv:2110.02820,
algorithms 2.1 and 5.1; a truncated pseudo-inverse takes the place of their shifted
Cholesky factor, so that blocks of any rank will do.) Ĥ = H where the rank of H is at
most k; otherwise the condition number that is left is about (τ + λ)/λ. Costs O(Nkd +
k²d) time and a few k×d numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.linalg.gram import curvature_times


@dataclass(frozen=True)
class Nystrom:
    """P⁻¹, as what it changes of the identity.

    Attributes:
        basis: Uᵀ, orthonormal rows.
        change: (τ + λ)/(Λ + λ) − 1, in (−1, 0].
        damping: λ.
    """

    basis: Float[Tensor, "k d"]
    change: Float[Tensor, " k"]
    damping: float

    def apply(self, r: Float[Tensor, "Q d"]) -> Float[Tensor, "Q d"]:
        """Multiply with P⁻¹, row by row.

        Args:
            r: Residuals.

        Returns:
            The same, with the directions of large curvature shortened.
        """
        return torch.addmm(r, (r @ self.basis.T).mul_(self.change), self.basis)

    def to(self, dtype: torch.dtype) -> "Nystrom":
        """Give the same preconditioner in another dtype."""
        return Nystrom(self.basis.to(dtype), self.change.to(dtype), self.damping)


def nystrom_preconditioner(
    rows: Iterable[Float[Tensor, "_ d"]],
    like: Float[Tensor, "Q d"],
    *,
    damping: float,
    count: int,
    rank: int,
    seed: int,
) -> Nystrom:
    """Sketch the curvature once and invert the sketch.

    Args:
        rows: The gradient rows in portions; read once.
        like: A tensor whose columns, dtype and device the sketch takes.
        damping: λ, positive.
        count: Rows of all portions together, N.
        rank: k at most; no more than N and d are of use.
        seed: Chooses Ω.

    Returns:
        The preconditioner.
    """
    size = like.shape[1]
    chance = torch.Generator().manual_seed(seed)
    test = torch.randn(
        size, min(rank, size, count), generator=chance, dtype=like.dtype
    ).to(like.device)
    test = torch.linalg.qr(test).Q.T.contiguous()  # [k, d]
    # In units of λ, so that gradients of any size stay within the number format.
    image = curvature_times(rows, test, count=count).div_(damping)
    core = (test @ image.T).double()
    del test
    values, vectors = torch.linalg.eigh((core + core.T) / 2)
    # What lies below is rounding: H has no curvature there.
    kept = values > len(values) * torch.finfo(like.dtype).eps * values[-1]
    root = vectors[:, kept] / values[kept].sqrt()
    half = root.T.to(image) @ image  # [k, d]: Ĥ/λ = halfᵀ half
    del image
    basis, upper = torch.linalg.qr(half.T)
    del half
    turn, lengths, _ = torch.linalg.svd(upper.double())
    found = lengths**2  # Λ/λ, descending
    # Where nothing was left out, Ĥ is all there is and the rest has no curvature.
    whole = len(values) == min(size, count) or not bool(kept.all())
    least = 0.0 if whole else float(found[-1])
    change = (least + 1) / (found + 1) - 1
    turned = (turn.T.to(basis) @ basis.T).contiguous()
    return Nystrom(turned, change.to(basis), damping)
