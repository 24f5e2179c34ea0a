"""Kronecker factors of a store: gathered shard by shard, in the shards' order.

While a store is filled, the shards that come next in order are summed on the way. What
is then still missing (the store was there already, or a run died before it had saved
its sums) goes through the model once more. Either way each shard is summed by itself
and added to those before it, so that the factors of an interrupted run are, on the same
machine, to the bit those of one that was not. The sums are saved when as many bytes of
shards were written as they have themselves, and at the end.
"""

from dataclasses import dataclass
from pathlib import Path

from datainf.capture.collect import collect_shard
from datainf.capture.session import CaptureSession
from datainf.core.batch import budget_of
from datainf.core.errors import StoreError
from datainf.core.factors import FactorSums
from datainf.core.options import CollectOptions, OnNonfinite
from datainf.core.task import Task
from datainf.store.factors import (
    drop_stale,
    read_note,
    read_sums,
    rows_hash,
    write_sums,
)
from datainf.store.lock import FolderLock
from datainf.store.manifest import Manifest, Shard
from datainf.store.reader import open_store
from datainf.workflows.nonfinite import watch
from datainf.workflows.progress import Advance, Reporter
from datainf.workflows.rows import Rows


class Gathering:
    """Sums over the first shards of a store, and how many those are."""

    def __init__(self, folder: Path, missing: dict[str, str]) -> None:
        """Go on from the sums that lie in a store, if there are any.

        Args:
            folder: The store, locked; what lies there is of its rows.
            missing: Blocks without factors, each with the reason.
        """
        self._folder, self._missing = folder, missing
        self.shards, self._total, self._unsaved = 0, FactorSums(missing), 0
        note = read_note(folder)
        if note is not None:
            try:
                self._total = read_sums(folder, note)
            except StoreError:
                return  # damaged or gone: they are made anew
            self.shards = note.shards

    def begin(self) -> FactorSums:
        """Give sums for one shard, of no token yet."""
        return FactorSums(self._missing)

    def add(self, sums: FactorSums, manifest: Manifest, hashes: list[str]) -> None:
        """Add the sums over the next shard, and save them when it is time.

        Args:
            sums: Over every token of that shard.
            manifest: The store's, which counts that shard.
            hashes: Of every row's example.
        """
        sums = sums.to_cpu()
        self._total.leave_out(sums.missing)
        self._total.add(sums.blocks)
        rows = manifest.rows_of(self.shards)
        self.shards += 1
        self._unsaved += len(rows) * manifest.layout.total * 4
        if self._unsaved >= self._total.bytes or self.shards == manifest.shard_count:
            of = rows_hash(manifest, hashes, self.shards)
            write_sums(self._folder, self._total, shards=self.shards, of=of)
            self._unsaved = 0

    def cut(self, shard: int) -> None:
        """Begin anew where a shard that was summed has other rows now."""
        if shard < self.shards:
            self.shards, self._total, self._unsaved = 0, self.begin(), 0


@dataclass(frozen=True)
class FactorPass:
    """What the factors of a finished store are gathered from.

    Attributes:
        session: Takes gradients; entered and probed.
        task: Makes the batches.
        rows: The examples.
        options: How gradients are gathered.
        reporter: Told how far it is.
    """

    session: CaptureSession
    task: Task
    rows: Rows
    options: CollectOptions
    reporter: Reporter

    def run(self, folder: Path) -> None:
        """Gather what is missing.

        Args:
            folder: The store, finished.
        """
        store = open_store(folder)
        lock = FolderLock(folder)
        try:
            table = store.examples
            index, hashes = table["index"].tolist(), table["hash"].tolist()
            drop_stale(folder, store.manifest, hashes)
            gathering = Gathering(folder, self.session.unfactored)
            shards = store.manifest.shards[gathering.shards :]
            if not shards:
                return
            with self.reporter.stage("factors", len(store)) as advance:
                advance(shards[0].start)
                for shard in shards:
                    numbers = index[shard.start : shard.start + shard.rows]
                    sums = self._sums(gathering.begin(), shard, numbers, advance)
                    gathering.add(sums, store.manifest, hashes)
        finally:
            lock.release()

    def _sums(
        self, sums: FactorSums, shard: Shard, numbers: list[int], advance: Advance
    ) -> FactorSums:
        """Send the rows of a shard through the model, for the sums alone."""
        lengths = self.rows.lengths
        collect_shard(
            self.session,
            self.task,
            self.rows.read(numbers),
            lengths=[lengths[number] for number in numbers],
            budget=budget_of(self.options.batch_tokens),
            halved_at=shard.halved_at,
            factors=sums,
            on_batch=advance,
            on_nonfinite=watch(self.rows, numbers, OnNonfinite.REFUSE, {}),
        )
        return sums


def has_factors(folder: Path) -> bool:
    """Say whether a finished store has factors of all its rows.

    Args:
        folder: The store.

    Returns:
        Whether it has; False too where they are damaged and have to be made anew.
    """
    store = open_store(folder)
    try:
        return store.factors(store.layout.names[0]) is not None
    except StoreError:
        return False
