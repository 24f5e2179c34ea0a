"""ProjectedSource: the rows of a source, all blocks together, as k numbers each.

Made once, when it is asked for, and kept: memory is `[N, k]`, and while it is made a
buffer of rows of one block and one slab of signs; of a source that processes share,
each holds its own rows. N rows, D parameters of all blocks, k numbers of a projected
row.
"""

from collections.abc import Iterator, Sequence
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import OptionError, near
from datainf.core.layout import Layout
from datainf.core.share import Share, share_of, whole_of
from datainf.core.source import GradientSource, RowBlock
from datainf.linalg.projection import add_projection, sign_slabs

BLOCK = "all"
"""The name of the one block."""
# Rows of a block that are gathered before they meet its signs, so that these are made
# a few times only, however a store cuts its rows.
_BUFFER_BYTES = 32 * 2**20
# A portion of the projected rows, so that float64 or scaled copies of it stay small.
_PORTION_BYTES = 32 * 2**20


class ProjectedSource:
    """A GradientSource of one block, the random projection of another source.

    Attributes:
        of: The other source.
    """

    def __init__(self, source: GradientSource, width: int, seed: int) -> None:
        """Project every row.

        Args:
            source: The rows; each block is read once.
            width: Numbers of a projected row, k.
            seed: Chooses the projection.
        """
        self.of = source
        first = next(iter(whole_of(source).rows(size=1))).gradients.values()
        dtype = reduce(torch.promote_types, {g.dtype for g in first}, torch.float32)
        device = next(iter(first)).device
        count = len(self.share.rows)
        self._rows = torch.zeros(count, width, dtype=dtype, device=device)
        for block, size in source.layout.sizes.items():
            for start, rows in _gathered(source, block, dtype, device):
                into = self._rows[start : start + len(rows)]
                for columns, signs in sign_slabs(
                    block, size=size, width=width, seed=seed, like=into
                ):
                    add_projection(into, rows[:, columns], signs)
        self._squared_norms = self._rows.double().square().sum(dim=1, keepdim=True)

    @property
    def layout(self) -> Layout:
        """The one block, of k numbers."""
        return Layout.from_shapes({BLOCK: (self._rows.shape[1],)})

    @property
    def share(self) -> Share:
        """Which rows this process holds."""
        return share_of(self.of, len(self.of))

    def __len__(self) -> int:
        """Count the rows of all processes, N."""
        return len(self.of)

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        """Go through the projected rows in order.

        Args:
            blocks: The one block, or none of it when empty.
            size: At most so many rows a portion; some 32 MiB of them when None.

        Yields:
            Consecutive rows, as views.

        Raises:
            OptionError: If a block is unknown or the size below 1.
        """
        names = (BLOCK,) if blocks is None else tuple(blocks)
        for name in names:
            if name != BLOCK:
                raise OptionError(f"block {name!r} is unknown: {near(name, [BLOCK])}.")
        if size is None:
            row = self._rows.shape[1] * self._rows.itemsize
            size = max(1, _PORTION_BYTES // row)
        if size < 1:
            raise OptionError(f"size must be at least 1, got {size}.")
        for start in range(0, len(self._rows), size):
            part = slice(start, start + size)
            yield RowBlock(
                start=self.share.rows.start + start,
                gradients=dict.fromkeys(names, self._rows[part]),
                squared_norms=self._squared_norms[part],
            )


def projected(source: GradientSource, width: int, seed: int) -> GradientSource:
    """Project a source where that makes its rows shorter.

    Args:
        source: The rows.
        width: Numbers of a projected row, k.
        seed: Chooses the projection.

    Returns:
        The projection, or the source itself for D ≤ k.
    """
    if source.layout.total <= width:
        return source
    return ProjectedSource(source, width, seed)


def projection_notes(layout: Layout, width: int) -> Iterator[str]:
    """Say whether rows were projected.

    Args:
        layout: Of the rows before.
        width: Numbers of a projected row, k.

    Yields:
        One sentence.
    """
    if layout.total <= width:
        yield (
            f"gradients hold D = {layout.total} numbers, no more than projection="
            f"{width}; they were not projected."
        )
    else:
        yield (
            f"gradients of D = {layout.total} numbers were projected to {width}: "
            f"cosines are within about {width**-0.5:.1g} of the true ones."
        )


def _gathered(
    source: GradientSource, block: str, dtype: torch.dtype, device: torch.device
) -> Iterator[tuple[int, Float[Tensor, "_ d"]]]:
    """Go through the rows of one block in portions as large as the buffer."""
    size = source.layout.sizes[block]
    room = max(1, _BUFFER_BYTES // (size * dtype.itemsize))
    buffer = torch.empty(min(room, len(source)), size, dtype=dtype, device=device)
    start = filled = 0
    for part in source.rows([block], size=len(buffer)):
        if filled + len(part) > len(buffer):
            yield start, buffer[:filled]
            start, filled = start + filled, 0
        buffer[filled : filled + len(part)] = part.gradients[block]
        filled += len(part)
    yield start, buffer[:filled]
