"""What squared lengths alone tell of a source, in one reading without any gradient.

N rows, L blocks. Finds what must be refused (no rows, NaN, infinity) before the first
product is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float64
from torch import Tensor

from datainf.core.errors import DataError, NonFiniteError
from datainf.core.options import Normalize
from datainf.core.share import share_of
from datainf.core.source import GradientSource
from datainf.estimators.stream import divisors, lengths

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class Census:
    """Sums over the rows of one source, of all processes where they share it.

    Attributes:
        totals: Σᵢ ‖gᵢ‖² of each block, after scaling where asked.
        lengths: Length of each row over all blocks, before scaling; 1 where it is zero.
        zero_rows: Number of rows of length zero.
    """

    totals: Mapping[str, float]
    lengths: Float64[Tensor, " N"]
    zero_rows: int


def take_census(source: GradientSource, what: str, normalize: Normalize) -> Census:
    """Read the squared lengths of a source.

    Args:
        source: The rows.
        what: What they are, for messages ("queries").
        normalize: What rows count as divided by.

    Returns:
        The sums.

    Raises:
        DataError: If there are no rows.
        NonFiniteError: If a gradient is NaN or infinite; names block and row.
    """
    if not len(source):
        raise DataError(f"{what} hold no rows; collect at least one example.")
    names = source.layout.names
    totals = torch.zeros(len(names), dtype=torch.float64)
    found, zero_rows = torch.zeros(len(source), dtype=torch.float64), torch.tensor(0)
    for part in source.rows([]):
        squares = part.squared_norms.cpu()
        bad = (~torch.isfinite(squares)).nonzero()
        if len(bad):
            row, block = bad[0].tolist()
            raise NonFiniteError(
                f"{what}: the gradient of block {names[block]}, row "
                f"{part.start + row} is NaN or infinite; leave that example out and "
                "collect again."
            )
        zero_rows += (squares.sum(dim=1) == 0).sum()
        found[part.start : part.start + len(part)] = lengths(squares)
        totals += (squares / divisors(squares, normalize) ** 2).sum(dim=0)
    add_up = share_of(source, len(source)).add_up
    return Census(
        dict(zip(names, add_up(totals).tolist(), strict=True)),
        add_up(found),
        int(add_up(zero_rows)),
    )


def by_group(
    numbers: Mapping[str, _Number], groups: Mapping[str, Sequence[str]]
) -> dict[str, _Number]:
    """Add up a number of each block, group by group.

    Args:
        numbers: Block -> number.
        groups: Group name -> its blocks.

    Returns:
        Group name -> sum.
    """
    return {g: sum(numbers[name] for name in members) for g, members in groups.items()}
