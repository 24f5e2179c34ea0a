"""The eigenbasis of a Kronecker product, without forming the product.

A block of d = o·i parameters is a matrix [o, i]; its rows of numbers are that matrix
with the last axis fastest. With U_S and U_A the eigenvectors of S and A, the columns of
U_S ⊗ U_A are an orthonormal basis of the block, and the coordinates of a gradient G in
it are those of U_Sᵀ G U_A. Exact; costs O(d(o + i)) a row, and o² + i² numbers.

n rows of a portion, s side of a factor.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from datainf.core.share import share_of

# Numbers of gradient rows that are turned at once.
_NUMBERS = 2**20


def eigenvectors(factor: Float[Tensor, "s s"]) -> Float64[Tensor, "s s"]:
    """Find the eigenvectors of a symmetric matrix, in float64; O(s³).

    Args:
        factor: The matrix.

    Returns:
        One eigenvector a column, by rising eigenvalue.
    """
    found: Tensor = torch.linalg.eigh(factor.double()).eigenvectors
    return found


@dataclass(frozen=True, eq=False)
class KroneckerBasis:
    """An orthonormal basis of the matrices [o, i].

    Attributes:
        left: U_S.
        right: U_A.
    """

    left: Float[Tensor, "o o"]
    right: Float[Tensor, "i i"]

    def coordinates(self, rows: Float[Tensor, "n _"]) -> Float[Tensor, "n _"]:
        """Turn rows into the basis, U_Sᵀ G U_A each.

        Args:
            rows: One matrix a row, of o·i numbers.

        Returns:
            Their coordinates, of the same lengths.
        """
        return self._between(rows, self.left.T, self.right)

    def combined(self, rows: Float[Tensor, "n _"]) -> Float[Tensor, "n _"]:
        """Turn coordinates back into rows, U_S C U_Aᵀ each.

        Args:
            rows: What `coordinates` gave.

        Returns:
            The rows.
        """
        return self._between(rows, self.left, self.right.T)

    def _between(self, rows: Tensor, left: Tensor, right: Tensor) -> Tensor:
        matrices = rows.reshape(len(rows), len(self.left), len(self.right))
        found: Tensor = left.to(rows) @ (matrices @ right.to(rows))
        return found.reshape(len(rows), -1)


@dataclass(frozen=True, eq=False)
class SideBySide:
    """The basis of several blocks whose rows stand side by side.

    Attributes:
        parts: Parameters of each block, and its basis; None for its entries themselves.
    """

    parts: Sequence[tuple[int, KroneckerBasis | None]]

    def coordinates(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Turn rows into the basis, block by block.

        Args:
            rows: One row of all blocks each.

        Returns:
            Their coordinates, of the same lengths.
        """
        return self._by_block(rows, KroneckerBasis.coordinates)

    def combined(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Turn coordinates back into rows, block by block.

        Args:
            rows: What `coordinates` gave.

        Returns:
            The rows.
        """
        return self._by_block(rows, KroneckerBasis.combined)

    def _by_block(
        self, rows: Tensor, turn: Callable[[KroneckerBasis, Tensor], Tensor]
    ) -> Tensor:
        pieces = torch.split(rows, [width for width, _ in self.parts], dim=1)
        turned = [
            piece if basis is None else turn(basis, piece)
            for piece, (_, basis) in zip(pieces, self.parts, strict=True)
        ]
        return turned[0] if len(turned) == 1 else torch.cat(turned, dim=1)


def mean_squares(
    rows: Iterable[Float[Tensor, "_ d"]], basis: SideBySide, *, count: int, size: int
) -> Float64[Tensor, " d"]:
    """Average the squared coordinates of gradient rows; one reading.

    These are the eigenvalues that make a matrix with this eigenbasis nearest to the
    mean of the rows' outer products (George et al., 2018, section 3). Their mean is the
    rows' mean squared entry, since a turned row keeps its length.

    Args:
        rows: The gradient rows in portions.
        basis: The eigenbasis.
        count: Rows of all portions together, N.
        size: Number of columns, d.

    Returns:
        One eigenvalue a coordinate.
    """
    total = torch.zeros(size, dtype=torch.float64)
    for g in rows:
        # A turned portion and what lies between take several times its memory.
        for piece in torch.split(g, max(1, _NUMBERS // size)):
            squares = basis.coordinates(piece).square().sum(0)
            total = total.to(g.device).add_(squares)
            del piece
        del g
    return share_of(rows, count).add_up(total) / count
