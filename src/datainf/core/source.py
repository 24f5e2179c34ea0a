"""GradientSource: what estimators read, whether it lies on disk or in memory.

N rows (one an example), L blocks, d parameters of a block; n rows of one portion.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from datainf.core.layout import Layout


@dataclass(frozen=True)
class RowBlock:
    """Some consecutive rows of a source.

    Attributes:
        start: Position of the first row in the source.
        gradients: `[n, d]` for each block that was asked for, in the stored number
            format; int8 as float32, multiplied with its scale.
        squared_norms: `[n, L]` float64, the squared length of each row in every block
            of the layout (in its order), whichever blocks were asked for.
    """

    start: int
    gradients: Mapping[str, Float[Tensor, "n _"]]
    squared_norms: Float[Tensor, "n L"]

    def __len__(self) -> int:
        """Count the rows, n."""
        return len(self.squared_norms)


@runtime_checkable
class GradientSource(Protocol):
    """Per-example gradients that can be read again and again, in the same order.

    Laws, held by contract tests on every implementation:

    - `rows()` yields each row once, in order, and the same numbers every time;
    - the rows do not depend on `size` or on which other blocks are asked for;
    - `squared_norms` are those of the rows as they are read;
    - memory is bounded by one RowBlock: nothing of an earlier one is kept.
    """

    @property
    def layout(self) -> Layout:
        """Names, shapes and order of the blocks."""
        ...

    def __len__(self) -> int:
        """Count the examples, N."""
        ...

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        """Go through the rows in order.

        Args:
            blocks: Names of the blocks to read; all when None, none when empty
                (squared norms only).
            size: At most so many rows a RowBlock; the source's own choice when None.

        Yields:
            Consecutive rows.
        """
        ...
