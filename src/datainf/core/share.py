"""Share: which rows of a source this process reads, and how all processes add up.

One process alone reads every row and has nothing to add. Where several score together,
each reads rows of its own (whole shards of a store), and what they find over those rows
(sums `[Q, d]`, most often) is added up, so that each has the sum over all N rows, the
same to the bit. Who reads rows asks for its share of them; a source without one is read
whole. N rows, n of them this process's own, Q queries.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.source import GradientSource

Combine = Callable[[Tensor], Tensor]
"""One process's tensor to that of all; the one that came may be overwritten."""

_Part = TypeVar("_Part")


def as_it_is(tensor: Tensor) -> Tensor:
    """Give the tensor of the only process."""
    return tensor


@dataclass(frozen=True)
class Share:
    """The rows that are this process's own.

    Attributes:
        rows: Their places among all N.
        rank: Which process this is, from 0, the leader.
        ranks: How many there are.
        add_up: Sums a tensor over the processes.
        largest: Takes the largest, entry by entry. What is decided by the result is
            decided alike everywhere.
        bring: Gives the leader the columns of every process, `[Q, n]` to `[Q, N]`; the
            others keep their own.
    """

    rows: range
    rank: int = 0
    ranks: int = 1
    add_up: Combine = as_it_is
    largest: Combine = as_it_is
    bring: Combine = as_it_is

    @property
    def leads(self) -> bool:
        """Whether this process is the one that has the results."""
        return self.rank == 0

    @property
    def columns(self) -> slice:
        """Own rows, as columns of a `[Q, N]`."""
        return slice(self.rows.start, self.rows.stop)

    def spread(self, own: Float[Tensor, "Q n"], count: int) -> Float[Tensor, "Q N"]:
        """Put every process's columns side by side, in every process.

        Args:
            own: Those of the own rows.
            count: Rows of all processes, N.

        Returns:
            All of them.
        """
        if self.ranks == 1:
            return own
        whole = own.new_zeros(len(own), count)
        whole[:, self.columns] = own
        return self.add_up(whole)

    def least(self, number: float) -> float:
        """Give the smallest of the processes' numbers.

        Args:
            number: This one's.

        Returns:
            The same in every process.
        """
        return -float(self.largest(torch.tensor(-number, dtype=torch.float64)))


def share_of(rows: object, count: int) -> Share:
    """Give the share of a source, or of what was made of one.

    Args:
        rows: The source, or rows in portions.
        count: Rows of all processes, N.

    Returns:
        Its share; all rows where it says nothing of one.
    """
    found = getattr(rows, "share", None)
    return found if isinstance(found, Share) else Share(range(count))


def whole_of(source: GradientSource) -> GradientSource:
    """Give the source with the rows of every process.

    Args:
        source: A source.

    Returns:
        That which it is a share of, or itself.
    """
    found = getattr(source, "whole", None)
    return found if isinstance(found, GradientSource) else source


@dataclass(frozen=True)
class Shared(Generic[_Part]):
    """What can be gone through again and again, each process its own part of it.

    Attributes:
        share: Which rows are this process's own.
        parts: Begins to go through them.
    """

    share: Share
    parts: Callable[[], Iterator[_Part]]

    def __iter__(self) -> Iterator[_Part]:
        """Go through them."""
        return self.parts()
