"""The largest eigenvalue of the curvature, by block power iteration over the stream.

N training examples, d parameters of one block. Each iteration multiplies a few
orthonormal vectors with GᵀG/N; costs one reading of the rows and O(Nd) time. The
Rayleigh-Ritz value that is returned never exceeds the true eigenvalue.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.linalg.gram import apply_curvature

# Vectors iterated together. One alone may start almost orthogonal to the eigenvector.
_WIDTH = 4


def largest_eigenvalue(
    rows: Iterable[Float[Tensor, "_ d"]],
    like: Float[Tensor, "Q d"],
    *,
    count: int,
    steps: int,
    seed: int,
) -> float:
    """Estimate the largest eigenvalue of ``GᵀG / N`` from below.

    Args:
        rows: The gradient rows in portions; read once a step.
        like: A tensor whose columns, dtype and device the iteration takes.
        count: Rows of all portions together, N.
        steps: Iterations.
        seed: Chooses the starting vectors.

    Returns:
        The largest Ritz value of the last iteration.
    """
    size = like.shape[1]
    chance = torch.Generator().manual_seed(seed)
    start = torch.randn(size, min(_WIDTH, size), generator=chance, dtype=torch.float64)
    basis = torch.linalg.qr(start.to(like)).Q  # [d, width]
    found = 0.0
    for _ in range(steps):
        image, _ = apply_curvature(rows, basis.T.contiguous(), count=count)
        found = float(torch.linalg.eigvalsh((image @ basis).double())[-1])
        basis = torch.linalg.qr(image.T).Q
    return found
