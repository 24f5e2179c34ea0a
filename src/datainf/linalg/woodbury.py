"""Solve ``(GᵀG/N + λI) x = v`` exactly, on the smaller of its two sides.

N training examples, Q queries, d parameters of one block. G is the matrix of the rows.

    d ≤ N   x = (GᵀG/N + λI)⁻¹ v                       a d×d Cholesky factor
    N < d   x = (v − Gᵀ (GGᵀ + NλI)⁻¹ G v) / λ         an N×N factor (Woodbury)

Both are the paper's Eq. 2 (Kwon et al., ICLR 2024, arXiv:2310.00902) to rounding. Input
and arithmetic are float64. Costs O(Nd·min(d, N) + min(d, N)³) time; memory is two
square matrices of min(d, N) and a few `[Q, d]`. The product y = (GᵀG/N + λI) x is a
real one, not an identity that would hold whatever x is, so that the residual means
something.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import NonFiniteError
from datainf.linalg.gram import (
    apply_curvature,
    curvature_matrix,
    gram_matrix,
    products,
    weighted_sum,
)


def solve_parameter_side(
    rows: Iterable[Float[Tensor, "_ d"]],
    v: Float[Tensor, "Q d"],
    *,
    damping: float,
    count: int,
) -> tuple[Float[Tensor, "Q d"], Float[Tensor, "Q d"]]:
    """Solve by the d×d matrix; the better side for d ≤ N.

    Args:
        rows: The gradient rows in portions; read once.
        v: Query gradients.
        damping: λ, positive.
        count: Rows of all portions together, N.

    Returns:
        x, and y = (GᵀG/N + λI) x.
    """
    matrix = curvature_matrix(rows, count=count, size=v.shape[1], device=v.device)
    matrix.diagonal().add_(damping)
    x = _solve(matrix, v)
    return x, x @ matrix


def solve_example_side(
    rows: Iterable[Float[Tensor, "_ d"]],
    slabs: Iterable[Float[Tensor, "N _"]],
    v: Float[Tensor, "Q d"],
    *,
    damping: float,
    count: int,
) -> tuple[Float[Tensor, "Q d"], Float[Tensor, "Q d"], Float[Tensor, "Q N"]]:
    """Solve by the N×N matrix (Woodbury); the better side for N < d.

    Args:
        rows: The gradient rows in portions; read three times.
        slabs: The same numbers as column ranges; read once.
        v: Query gradients.
        damping: λ, positive.
        count: Rows of all portions together, N.

    Returns:
        x, y = (GᵀG/N + λI) x, and x Gᵀ.
    """
    matrix = gram_matrix(slabs, count=count, device=v.device)
    matrix.diagonal().add_(count * damping)
    weights = _solve(matrix, products(rows, v, count=count))  # [Q, N]
    del matrix
    x = weighted_sum(rows, weights, size=v.shape[1]).neg_().add_(v).div_(damping)
    y, found = apply_curvature(rows, x, count=count)
    return x, y.add_(x, alpha=damping), found


def _solve(
    matrix: Float[Tensor, "m m"], right: Float[Tensor, "Q m"]
) -> Float[Tensor, "Q m"]:
    """Solve a symmetric positive definite system for rows of right-hand sides."""
    factor, info = torch.linalg.cholesky_ex(matrix)
    if info.item():
        raise NonFiniteError(
            f"the Cholesky factor of a {len(matrix)}×{len(matrix)} curvature matrix "
            "broke down: the damping is lost in rounding; raise damping."
        )
    return torch.cholesky_solve(right.T, factor).T
