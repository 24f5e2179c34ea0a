"""Solve ``(GᵀG/N + λI) x = v`` exactly, on the smaller of its two sides.

N training examples, Q queries, d parameters of one block. G is the matrix of the rows.

    d ≤ N   x = (GᵀG/N + λI)⁻¹ v                       a d×d Cholesky factor
    N < d   x = (v − Gᵀ (GGᵀ + NλI)⁻¹ G v) / λ         an N×N factor (Woodbury)

The factor is made once and serves any number of right-hand sides. Both are the paper's
Eq. 2 (Kwon et al., ICLR 2024, arXiv:2310.00902) to rounding. Input
and arithmetic are float64. Costs O(Nd·min(d, N) + min(d, N)³) time; memory is two
square matrices of min(d, N) and a few `[Q, d]`. The product y = (GᵀG/N + λI) x is a
real one, not an identity that would hold whatever x is, so that the residual means
something.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import NonFiniteError
from datainf.core.share import share_of
from datainf.linalg.gram import (
    apply_curvature,
    curvature_matrix,
    gram_matrix,
    products,
    weighted_sum,
)


def factor_parameter_side(
    rows: Iterable[Float[Tensor, "_ d"]],
    *,
    size: int,
    damping: float,
    count: int,
    device: torch.device | str = "cpu",
) -> "ParameterSide":
    """Factor the d×d matrix; the better side for d ≤ N.

    Args:
        rows: The gradient rows in portions; read once.
        size: Number of columns, d.
        damping: λ, positive.
        count: Rows of all portions together, N.
        device: Where the rows lie.

    Returns:
        What solves for any right-hand sides.
    """
    matrix = curvature_matrix(rows, count=count, size=size, device=device)
    matrix.diagonal().add_(damping)
    return ParameterSide(matrix, _cholesky(matrix))


@dataclass(frozen=True)
class ParameterSide:
    """The damped curvature and its factor.

    Attributes:
        matrix: GᵀG/N + λI.
        factor: Its lower Cholesky factor.
    """

    matrix: Float[Tensor, "d d"]
    factor: Float[Tensor, "d d"]

    def solve(
        self, v: Float[Tensor, "Q d"]
    ) -> tuple[Float[Tensor, "Q d"], Float[Tensor, "Q d"]]:
        """Solve for every row of v.

        Args:
            v: Query gradients.

        Returns:
            x, and y = (GᵀG/N + λI) x.
        """
        x = torch.cholesky_solve(v.T, self.factor).T
        return x, x @ self.matrix


def factor_example_side(
    rows: Iterable[Float[Tensor, "_ d"]],
    slabs: Iterable[Float[Tensor, "N _"]],
    *,
    damping: float,
    count: int,
    device: torch.device | str = "cpu",
) -> "ExampleSide":
    """Factor the N×N matrix (Woodbury); the better side for N < d.

    Args:
        rows: The gradient rows in portions; kept, and read again by every solution.
        slabs: The same numbers as column ranges; read once.
        damping: λ, positive.
        count: Rows of all portions together, N.
        device: Where the rows lie.

    Returns:
        What solves for any right-hand sides.
    """
    matrix = gram_matrix(slabs, count=count, device=device)
    matrix.diagonal().add_(count * damping)
    return ExampleSide(rows, _cholesky(matrix), damping, count)


@dataclass(frozen=True)
class ExampleSide:
    """The rows and the factor of their damped Gram matrix.

    Attributes:
        rows: The gradient rows in portions.
        factor: Lower Cholesky factor of GGᵀ + NλI.
        damping: λ.
        count: N.
    """

    rows: Iterable[Float[Tensor, "_ d"]]
    factor: Float[Tensor, "N N"]
    damping: float
    count: int

    def solve(
        self, v: Float[Tensor, "Q d"]
    ) -> tuple[Float[Tensor, "Q d"], Float[Tensor, "Q d"], Float[Tensor, "Q n"]]:
        """Solve for every row of v; reads the rows three times.

        Args:
            v: Query gradients.

        Returns:
            x, y = (GᵀG/N + λI) x, and x Gᵀ of the process's own rows, n of N.
        """
        own = products(self.rows, v, count=self.count)
        right = share_of(self.rows, self.count).spread(own, self.count)  # [Q, N]
        weights = torch.cholesky_solve(right.T, self.factor).T
        x = weighted_sum(self.rows, weights, size=v.shape[1])
        x = x.neg_().add_(v).div_(self.damping)
        y, found = apply_curvature(self.rows, x, count=self.count)
        return x, y.add_(x, alpha=self.damping), found


def _cholesky(matrix: Float[Tensor, "m m"]) -> Float[Tensor, "m m"]:
    """Factor a symmetric positive definite matrix."""
    factor, info = torch.linalg.cholesky_ex(matrix)
    if info.item():
        raise NonFiniteError(
            f"the Cholesky factor of a {len(matrix)}×{len(matrix)} curvature matrix "
            "broke down: the damping is lost in rounding; raise damping."
        )
    return factor
