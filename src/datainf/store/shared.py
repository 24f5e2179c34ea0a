"""SharedStore: a finished store of which each of several processes reads whole shards.

Shards are dealt in runs of neighbours, so that a process's rows are neighbours too; one
that comes away empty-handed has no rows. N rows, n of them this process's own.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.core.factors import Factors
from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.share import Share
from datainf.core.source import RowBlock
from datainf.store.excluded import Excluded
from datainf.store.manifest import Manifest
from datainf.store.reader import GradientStore


def rows_of_rank(manifest: Manifest, rank: int, ranks: int) -> range:
    """Tell which rows of a store a process reads.

    Args:
        manifest: The store's.
        rank: Which process, from 0.
        ranks: How many there are.

    Returns:
        The rows of its shards; none where there are fewer shards than processes.
    """
    shards = manifest.shard_count
    first, last = (shards * place // ranks for place in (rank, rank + 1))
    edges = (min(place * manifest.shard_rows, manifest.rows) for place in (first, last))
    return range(*edges)


class SharedStore:
    """A GradientSource that goes through the rows of one process's shards.

    Attributes:
        whole: The store.
        share: Which rows are this process's own.
    """

    def __init__(self, whole: GradientStore, share: Share) -> None:
        """Take a store and the share that this process has of it.

        Args:
            whole: The store; shards that belong to others are not even opened.
            share: Rows as `rows_of_rank` deals them.
        """
        self.whole = whole
        self.share = share

    @property
    def layout(self) -> Layout:
        """Names, shapes and order of the blocks."""
        return self.whole.layout

    def __len__(self) -> int:
        """Count the examples of all processes, N."""
        return len(self.whole)

    def rows(
        self, blocks: Sequence[str] | None = None, *, size: int | None = None
    ) -> Iterator[RowBlock]:
        """Go through the own rows in order, as `GradientStore.rows` does."""
        return self.whole.rows(blocks, size=size, among=self.share.rows)

    @property
    def identity(self) -> Identity:
        """What the gradients were made from."""
        return self.whole.identity

    @property
    def excluded(self) -> list[Excluded]:
        """Rows that the store leaves out."""
        return self.whole.excluded

    @property
    def losses(self) -> NDArray[np.float32]:
        """Loss of each own row, `[n]`."""
        return self.whole.losses_among(self.share.rows)

    @property
    def examples(self) -> pd.DataFrame:
        """The rows whose scores this process ends with: all if it leads, or its own."""
        table = self.whole.examples
        if self.share.leads:
            return table
        return table.iloc[self.share.columns].reset_index(drop=True)

    def factors(self, block: str) -> Factors | None:
        """Give the Kronecker factors of a block, over all rows."""
        return self.whole.factors(block)
