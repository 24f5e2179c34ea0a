"""Fill a store: its missing shards one after the other, computed or taken over.

n examples of a shard, d parameters of a block. A shard in which an example turns out
to be no number is made once more without it, so that batches and bits are those of a
data set that never had it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch

from datainf.capture.collect import ShardGradients, collect_shard
from datainf.capture.session import CaptureSession
from datainf.core.batch import budget_of
from datainf.core.factors import FactorSums
from datainf.core.options import CollectOptions
from datainf.core.task import Task
from datainf.store.reuse import ReusedRows
from datainf.store.writer import PendingShard, StoreWriter
from datainf.workflows.factors import Gathering
from datainf.workflows.nonfinite import watch
from datainf.workflows.progress import Advance, Reporter
from datainf.workflows.rows import Rows


@dataclass(frozen=True)
class Filling:
    """What a store is filled from.

    Attributes:
        session: Takes gradients; entered and probed.
        task: Makes the batches.
        rows: The examples.
        options: How gradients are gathered.
        reporter: Told how far it is.
        older: Rows that need not be computed.
        gathering: Kronecker factors that are gathered on the way.
    """

    session: CaptureSession
    task: Task
    rows: Rows
    options: CollectOptions
    reporter: Reporter
    older: ReusedRows | None = None
    gathering: Gathering | None = None

    def fill(self, writer: StoreWriter) -> None:
        """Write every shard that is not there yet, and mark the store complete.

        Args:
            writer: The store.
        """
        count = len(self.rows.table)
        missing = sum(len(shard.rows) for shard in writer.pending_shards())
        there = writer.manifest.rows - missing
        if there:
            self.reporter.say(
                f"{writer.path}: {there} of {count} examples are there already"
            )
        with self.reporter.stage("gradients", count) as advance:
            advance(count - missing)
            while (shard := next(writer.pending_shards(), None)) is not None:
                reasons = self.write(writer, shard, advance)
                if reasons:
                    advance(len(reasons) - len(shard.rows))
                    writer.leave_out(reasons)
                    if self.gathering is not None:
                        self.gathering.cut(shard.number)
        writer.finish()

    def write(
        self, writer: StoreWriter, shard: PendingShard, advance: Advance
    ) -> Mapping[int, str]:
        """Write one shard, or find out which examples to leave out of it.

        Args:
            writer: The store.
            shard: Which.
            advance: Counts examples done.

        Returns:
            Position in the data set -> which number is NaN or infinite; where there is
            any, the shard is not written.
        """
        index = writer.index_of(shard.rows)
        reasons: dict[int, str] = {}
        known, new = self._divided(index)
        sums = self._sums(shard.number, all_new=not known)
        parts = []
        if self.older is not None and known:
            hashes = self.rows.hashes
            taken = self.older.take([hashes[index[at]] for at in known])
            parts.append(ShardGradients(*taken))
            advance(len(known))
        if new:
            numbers = [index[at] for at in new]
            parts.append(self._computed(writer, shard, numbers, reasons, sums, advance))
        if reasons:
            return reasons
        found = _merged(parts, [*known, *new])
        writer.write_shard(
            shard.number, found.gradients, found.losses, torch.tensor(index)
        )
        if self.gathering is not None and sums is not None:
            self.gathering.add(sums, writer.manifest, writer.hashes)
        return {}

    def _sums(self, shard: int, *, all_new: bool) -> FactorSums | None:
        """Give sums for a shard if it is the next one and all of it is computed."""
        gathering = self.gathering
        if gathering is None or gathering.shards != shard or not all_new:
            return None
        return gathering.begin()

    def _divided(self, index: list[int]) -> tuple[list[int], list[int]]:
        """Tell the rows of a shard that an older store has from those to compute."""
        hashes, older = self.rows.hashes, self.older
        known = [
            at
            for at, number in enumerate(index)
            if older is not None and hashes[number] in older
        ]
        return known, sorted({*range(len(index))} - {*known})

    def _computed(
        self,
        writer: StoreWriter,
        shard: PendingShard,
        index: list[int],
        reasons: dict[int, str],
        sums: FactorSums | None,
        advance: Advance,
    ) -> ShardGradients:
        """Send rows through the model."""
        lengths = self.rows.lengths
        return collect_shard(
            self.session,
            self.task,
            self.rows.read(index),
            lengths=[lengths[number] for number in index],
            budget=budget_of(self.options.batch_tokens),
            halved_at=shard.halved_at,
            factors=sums,
            on_halving=partial(self._halved, writer, shard.number),
            on_batch=advance,
            on_nonfinite=watch(self.rows, index, self.options.on_nonfinite, reasons),
        )

    def _halved(self, writer: StoreWriter, shard: int, batch: int) -> None:
        """Record a halving before going on, so that it can be replayed."""
        writer.record_halving(shard, batch)
        self.reporter.say(f"memory ran out: shard {shard} goes on with smaller batches")


def _merged(parts: list[ShardGradients], places: list[int]) -> ShardGradients:
    """Bring rows from both sources into the shard's order."""
    if len(parts) == 1:
        return parts[0]
    order = torch.tensor(places).argsort()
    # Numbers of the store's format go through a wider one unchanged.
    gradients = {
        name: torch.cat([part.gradients[name].float() for part in parts])[order]
        for name in parts[0].gradients
    }
    losses = torch.cat([part.losses.float() for part in parts])[order]
    return ShardGradients(gradients, losses)
