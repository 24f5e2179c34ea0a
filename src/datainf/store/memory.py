"""InMemorySource: gradients that are plain tensors, read as if from a store.

N rows, L blocks, d parameters of a block. Nothing is copied: portions are views.
Squared lengths are computed once, in float64, and find NaN and infinity on the way.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from datainf.core.errors import DataError, NonFiniteError, OptionError, near
from datainf.core.factors import Factors, require_factors
from datainf.core.layout import Layout
from datainf.core.source import RowBlock

# A portion's share of each block, so that float64 or scaled copies of it stay small.
_PORTION_BYTES = 32 * 2**20

# Float64 copies of this size stay in a processor's cache while they are squared.
_SQUARE_BYTES = 2**20


class InMemorySource:
    """A GradientSource over one tensor a block.

    Attributes:
        losses: Value of each row whose gradient it is (a loss, or a margin), `[N]`;
            None where none were given.

    Examples:
        >>> source = InMemorySource({"q": torch.eye(3), "v": torch.ones(3, 2)})
        >>> [len(part) for part in source.rows(["q"], size=2)]
        [2, 1]
        >>> next(source.rows([])).squared_norms.tolist()
        [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    """

    def __init__(
        self,
        gradients: Mapping[str, Tensor],
        layout: Layout | None = None,
        *,
        losses: Float[Tensor, " N"] | None = None,
        factors: Mapping[str, Factors] | None = None,
    ) -> None:
        """Take the tensors as they are.

        Args:
            gradients: Block name -> `[N, d]`, of any floating-point dtype, all with the
                same N; read without autograd.
            layout: Names, order and shapes of the blocks; by default the mapping's
                order and shapes `(d,)`.
            losses: Value of each row whose gradient it is; `trak` reads margins here.
            factors: Block name -> its Kronecker factors; a block that is not named has
                none. None where none were gathered.

        Raises:
            OptionError: If the tensors and the layout do not fit each other, a tensor
                is not a floating-point matrix, or factors are none of their block.
            DataError: If there is no row, or blocks or losses have different numbers of
                them.
            NonFiniteError: If a gradient is NaN or infinite; names block and row.
        """
        for name, tensor in gradients.items():
            _require_matrix(name, tensor)
        if layout is None:
            layout = Layout.from_shapes(
                {name: (tensor.shape[1],) for name, tensor in gradients.items()}
            )
        self._layout = layout
        self._factors = factors
        shapes = {block.name: block.shape for block in layout.blocks}
        for name, each in (factors or {}).items():
            self._require_known(name)
            require_factors(name, each, shapes[name])
        self._gradients = _arranged(gradients, layout)
        counts = {name: len(tensor) for name, tensor in self._gradients.items()}
        first = layout.names[0]
        for name, count in counts.items():
            if count != counts[first]:
                raise DataError(
                    f"every block needs one row an example: {first} has "
                    f"{counts[first]} rows and {name} has {count}."
                )
        if not counts[first]:
            raise DataError("gradients hold no rows; give at least one example.")
        if losses is not None and losses.shape != (counts[first],):
            raise DataError(
                f"losses must hold one number for each of {counts[first]} rows, got "
                f"shape {list(losses.shape)}."
            )
        self.losses: NDArray[np.float64] | None = (
            None if losses is None else losses.detach().cpu().double().numpy()
        )
        self._squared_norms = torch.stack(
            [_squared_norms(*item) for item in self._gradients.items()], dim=1
        )

    @property
    def layout(self) -> Layout:
        """Names, shapes and order of the blocks."""
        return self._layout

    def __len__(self) -> int:
        """Count the examples, N."""
        return len(self._squared_norms)

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        """Go through the rows in order.

        Args:
            blocks: Names of the blocks to read; all when None, none when empty.
            size: At most so many rows a portion; some 32 MiB of them when None.

        Yields:
            Consecutive rows, as views of the tensors.

        Raises:
            OptionError: If a block is unknown or the size below 1.
        """
        names = self._layout.names if blocks is None else tuple(blocks)
        for name in names:
            self._require_known(name)
        if size is None:
            widest = max((self._gradients[name][0].nbytes for name in names), default=1)
            size = max(1, _PORTION_BYTES // widest)
        if size < 1:
            raise OptionError(f"size must be at least 1, got {size}.")
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield RowBlock(
                start=start,
                gradients={name: self._gradients[name][part] for name in names},
                squared_norms=self._squared_norms[part],
            )

    def factors(self, block: str) -> Factors | None:
        """Give the Kronecker factors of a block.

        Args:
            block: Its name.

        Returns:
            The factors; None where the source was given none at all.
        """
        self._require_known(block)
        if self._factors is None:
            return None
        return self._factors.get(block, Factors(reason="none were given"))

    def _require_known(self, block: str) -> None:
        """Refuse a block that is not there."""
        if block not in self._layout.sizes:
            raise OptionError(
                f"block {block!r} is unknown: {near(block, self._layout.names)}."
            )


def _require_matrix(name: str, tensor: object) -> None:
    """Refuse what is not a floating-point matrix."""
    if not isinstance(tensor, Tensor):
        raise OptionError(
            f"gradients of {name} must be a tensor [N, d], got {type(tensor).__name__}."
        )
    if tensor.dim() != 2:
        raise OptionError(
            f"gradients of {name} must have shape [N, d], got {list(tensor.shape)}; "
            "flatten each example's gradient into one row."
        )
    if not tensor.is_floating_point():
        raise OptionError(
            f"gradients of {name} must be floating-point, got {tensor.dtype}."
        )


def _arranged(gradients: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Bring the tensors into the layout's order, detached."""
    missing = [name for name in layout.names if name not in gradients]
    extra = [name for name in gradients if name not in layout.sizes]
    if missing or extra:
        raise OptionError(
            f"gradients and layout name different blocks: missing {missing}, "
            f"not in the layout {extra}."
        )
    for name, size in layout.sizes.items():
        if gradients[name].shape[1] != size:
            raise OptionError(
                f"gradients of {name} have {gradients[name].shape[1]} columns, the "
                f"layout says {size}."
            )
    return {name: gradients[name].detach() for name in layout.names}


def _squared_norms(name: str, tensor: Float[Tensor, "N d"]) -> Float[Tensor, " N"]:
    """Add up squares in float64, a portion at a time; refuse NaN and infinity."""
    portion = max(1, _SQUARE_BYTES // (8 * tensor.shape[1]))
    starts = range(0, len(tensor), portion)
    parts = (tensor[start : start + portion].double() for start in starts)
    found = torch.cat([torch.linalg.vecdot(part, part) for part in parts])
    bad = (~torch.isfinite(found)).nonzero()
    if len(bad):
        row = int(bad[0])
        raise NonFiniteError(
            f"gradient of block {name}, row {row} is NaN, infinite or too large to "
            f"square ({len(bad)} such rows); leave these examples out."
        )
    return found
