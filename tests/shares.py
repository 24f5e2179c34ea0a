"""Several processes without processes: threads that add up, each with its own rows."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from datainf.core.layout import Layout
from datainf.core.share import Share
from datainf.core.source import GradientSource, RowBlock

WAIT = 20.0


class Threads:
    """As many threads as ranks, that meet at every sum."""

    def __init__(self, ranks: int) -> None:
        self.ranks = ranks
        self._meet = threading.Barrier(ranks, timeout=WAIT)
        self._there: list[Any] = [None] * ranks

    def share(self, rank: int, rows: range) -> Share:
        """Make one thread's share."""

        def all_of(tensor: Tensor) -> list[Tensor]:
            self._there[rank] = tensor.clone()
            self._meet.wait()
            found = list(self._there)
            self._meet.wait()
            return found

        def bring(own: Tensor) -> Tensor:
            found = all_of(own)
            return own if rank else torch.cat(found, dim=1)

        return Share(
            rows,
            rank,
            self.ranks,
            lambda own: torch.stack(all_of(own)).sum(dim=0),
            lambda own: torch.stack(all_of(own)).amax(dim=0),
            bring,
        )

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        """Let every thread work; give what each found, or raise what one raised."""
        found: list[Any] = [None] * self.ranks

        def one(rank: int) -> None:
            try:
                found[rank] = work(rank)
            except BaseException as error:  # noqa: BLE001 - raised below
                found[rank] = error
                self._meet.abort()

        threads = [threading.Thread(target=one, args=(k,)) for k in range(self.ranks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        errors = [each for each in found if isinstance(each, BaseException)]
        errors.sort(key=lambda each: isinstance(each, threading.BrokenBarrierError))
        if errors:
            raise errors[0]
        return found


class SharedRows:
    """A GradientSource over one share of another source's rows."""

    def __init__(self, whole: GradientSource, share: Share) -> None:
        self.whole = whole
        self.share = share

    @property
    def layout(self) -> Layout:
        return self.whole.layout

    @property
    def losses(self) -> Any:
        found = getattr(self.whole, "losses", None)
        return None if found is None else found[self.share.columns]

    def factors(self, block: str) -> Any:
        ask = getattr(self.whole, "factors", None)
        return None if ask is None else ask(block)

    def __len__(self) -> int:
        return len(self.whole)

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        for part in self.whole.rows(blocks, size=1 if size is None else size):
            for at in range(len(part)):
                if part.start + at in self.share.rows:
                    yield replace(
                        part,
                        start=part.start + at,
                        gradients={
                            k: g[at : at + 1] for k, g in part.gradients.items()
                        },
                        squared_norms=part.squared_norms[at : at + 1],
                    )


def dealt(count: int, edges: Sequence[int]) -> list[range]:
    """Deal rows out in runs that end at the edges."""
    places = [0, *edges, count]
    return [range(a, b) for a, b in pairwise(places)]
