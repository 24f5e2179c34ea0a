"""The rows of one curvature group, as matrices ready to multiply.

N rows, n of one portion, d parameters of the group (all its tensors side by side), L
blocks of the whole layout, w columns of a slab. Memory: one portion, or one slab. Where
the source is shared among processes, each reads its own rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from datainf.core.options import Normalize
from datainf.core.share import Share, Shared, share_of
from datainf.core.source import GradientSource, RowBlock

# Columns that a slab has where the tensor does, however few the rows: each slab reads
# the whole source again, and of one row they would be as many as parameters.
LEAST_WIDTH = 1024


@dataclass(frozen=True)
class GroupRows:
    """Gradient rows of one group, converted and scaled on the way.

    Iterating yields portions `[n, d]`; it can be done again and again.

    Attributes:
        name: The group's name, for messages.
        source: Where the rows come from.
        members: The group's blocks, in layout order.
        dtype: What the rows are converted to.
        device: Where the rows are brought.
        scaled: What each row is divided by, if it scales rows at all; what has length
            zero stays zero.
    """

    name: str
    source: GradientSource
    members: tuple[str, ...]
    dtype: torch.dtype
    device: torch.device
    scaled: Normalize = Normalize.NONE

    @property
    def count(self) -> int:
        """Number of rows of all processes, N."""
        return len(self.source)

    @property
    def share(self) -> Share:
        """Which of them this process reads."""
        return share_of(self.source, self.count)

    @property
    def size(self) -> int:
        """Number of parameters of the group, d."""
        return sum(self.source.layout.sizes[name] for name in self.members)

    def __iter__(self) -> Iterator[Float[Tensor, "n d"]]:
        """Go through the rows in portions."""
        for part in self.source.rows(self.members):
            found = self._matrix(part)
            del part  # what is read next need not lie beside it
            yield found
            del found

    def with_squares(
        self,
    ) -> Iterable[tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]]:
        """Give the rows with their squared lengths within the group.

        Returns:
            Portions of rows, and one number a row.
        """
        return Shared(self.share, self._with_squares)

    def _with_squares(
        self,
    ) -> Iterator[tuple[Float[Tensor, "n d"], Float[Tensor, " n"]]]:
        for part in self.source.rows(self.members):
            squares = self._squares(part)
            found = self._matrix(part), squares.to(self.device, self.dtype)
            del part
            yield found
            del found

    def trace(self) -> float:
        """Give the mean squared length within the group, (1/N) Σ ‖gᵢ‖²."""
        total = torch.zeros((), dtype=torch.float64)
        for part in self.source.rows([]):
            total += self._squares(part).sum().cpu()
        return float(self.share.add_up(total)) / self.count

    def slabs(
        self, chosen: Sequence[int] | None = None
    ) -> Iterable[Float[Tensor, "m w"]]:
        """Give column ranges of at most as many columns as rows, or `LEAST_WIDTH`.

        Args:
            chosen: Which rows, in the order wanted; all N, in their own, when None.

        Returns:
            Those rows of some columns; together each column once. Processes put every
            slab together, each its own rows, and take them in turns.
        """
        return Shared(self.share, lambda: self._slabs(chosen))

    def _slabs(self, chosen: Sequence[int] | None) -> Iterator[Float[Tensor, "m w"]]:
        share, number = self.share, 0
        order = torch.arange(self.count) if chosen is None else torch.tensor(chosen)
        count = len(order)
        step = max(count, LEAST_WIDTH)
        place = torch.full((self.count,), -1)
        place[order] = torch.arange(count)
        for name in self.members:
            width = self.source.layout.sizes[name]
            for left in range(0, width, step):
                right = min(left + step, width)
                slab = torch.zeros(
                    count, right - left, dtype=self.dtype, device=self.device
                )
                for part in self.source.rows([name]):
                    here = place[part.start : part.start + len(part)]
                    columns = part.gradients[name][:, left:right]
                    [rows] = self._ready([columns], part, [name])
                    slab[here[here >= 0]] = rows[here >= 0]
                    del part, rows
                slab = share.add_up(slab)
                if number % share.ranks == share.rank:
                    yield slab
                del slab
                number += 1

    @property
    def parameters(self) -> int:
        """Parameters of the group's tensors, more than d where rows are projected."""
        known = self.source.layout.parameters
        return sum(known[name] for name in self.members)

    def in_float64(self) -> "GroupRows":
        """Give the same rows in float64."""
        return replace(self, dtype=torch.float64)

    def _squares(self, part: RowBlock) -> Float64[Tensor, " n"]:
        """Squared lengths within the group, scaled where asked."""
        columns = self._columns(self.members)
        divisor = divisors(part.squared_norms, self.scaled, columns)
        return (part.squared_norms[:, columns] / divisor**2).sum(dim=1)

    def _matrix(self, part: RowBlock) -> Float[Tensor, "n d"]:
        """Put a portion's tensors side by side."""
        pieces = [part.gradients[name] for name in self.members]
        pieces = self._ready(pieces, part, self.members)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)

    def _ready(
        self, pieces: Sequence[Tensor], part: RowBlock, names: Sequence[str]
    ) -> list[Tensor]:
        """Convert columns of some blocks, and scale them where asked."""
        pieces = [rows.to(self.device, self.dtype) for rows in pieces]
        if not self.scaled.scales_rows:
            return pieces
        divisor = divisors(part.squared_norms, self.scaled, self._columns(names))
        divisor = divisor.to(self.device, self.dtype)
        return [rows / divisor[:, j, None] for j, rows in enumerate(pieces)]

    def _columns(self, names: Sequence[str]) -> list[int]:
        """Places of some blocks in the layout."""
        places = {name: at for at, name in enumerate(self.source.layout.names)}
        return [places[name] for name in names]


def divisors(
    squared_norms: Float64[Tensor, "n L"],
    normalize: Normalize,
    columns: Sequence[int] | None = None,
) -> Float64[Tensor, "n m"]:
    """Give what each block of each row is divided by, 1 where that would be zero.

    Args:
        squared_norms: Squared lengths of the rows within each block.
        normalize: Over what lengths are taken; all 1 where it does not scale rows.
        columns: Which blocks; all when None.

    Returns:
        One divisor a row and block.
    """
    wanted = squared_norms if columns is None else squared_norms[:, columns]
    if normalize == Normalize.EXAMPLE:
        return lengths(squared_norms)[:, None].expand_as(wanted)
    if normalize == Normalize.BLOCK:
        found = wanted.sqrt()
        return torch.where(found == 0, torch.ones_like(found), found)
    return torch.ones_like(wanted)


def lengths(squared_norms: Float64[Tensor, "n L"]) -> Float64[Tensor, " n"]:
    """Lengths of rows over all blocks, 1 for rows of length zero, which stay zero."""
    found = squared_norms.sum(dim=1).sqrt()
    return torch.where(found == 0, torch.ones_like(found), found)
