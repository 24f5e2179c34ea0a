"""StoreWriter: makes a store, shard by shard, and goes on where a killed run stopped.

N rows of the store, n rows of one shard, L blocks, d parameters of a block.

Order on disk: `examples.parquet`, a manifest without shards, then for each shard its
file and, after that, the manifest that names it. Whatever moment a run dies at, the
manifest on disk names only whole shards, and a store that was resumed equals one that
was not.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import pyarrow as pa
import torch
from jaxtyping import Float, Int
from torch import Tensor

from datainf.core.errors import NonFiniteError, OptionError, StoreError
from datainf.core.store_dtype import StoreDtype
from datainf.store.atomic import write_whole, writing
from datainf.store.checks import require_shard
from datainf.store.excluded import Excluded, excluded_in, parameters_in, without
from datainf.store.factors import drop_stale
from datainf.store.growth import cut
from datainf.store.lock import FolderLock
from datainf.store.manifest import (
    MANIFEST_NAME,
    Examples,
    Manifest,
    Shard,
    shard_name,
)
from datainf.store.resume import sweep, with_examples
from datainf.store.rounding import rounded, squared_norms, warn_of_loss
from datainf.store.shard import INDEX, LOSS, SCALES, SQUARED_NORMS, write_shard
from datainf.store.start import Asked, Start


class PendingShard(NamedTuple):
    """A shard that is still to be made.

    Attributes:
        number: Its number.
        rows: Its rows, as positions in the table of examples.
        halved_at: Batches at which memory ran out in earlier tries, to be replayed.
    """

    number: int
    rows: range
    halved_at: tuple[int, ...]


class StoreWriter:
    """Writes one store; a context manager that holds the folder's lock.

    Examples:
        Shards come in any order; `finish` marks the store complete::

            with StoreWriter.open(folder, asked) as writer:
                for number, rows, halved_at in writer.pending_shards():
                    ...
                    writer.write_shard(number, gradients, loss, index)
                writer.finish()
    """

    def __init__(
        self, path: Path, manifest: Manifest, table: pa.Table, lock: FolderLock | None
    ) -> None:
        """Take an opened folder; use `open`.

        Args:
            path: The folder.
            manifest: What lies there by now.
            table: Its examples.
            lock: The folder's lock; None where there is nothing to do.
        """
        self._path = path
        self._manifest = manifest
        self._table = table
        self._lock = lock

    @classmethod
    def open(cls, path: str | Path, asked: Asked) -> "StoreWriter":
        """Start a store, or go on with one that was asked for in the same way.

        Args:
            path: The folder; made if need be.
            asked: The store that it is to hold.

        Returns:
            The writer; `done` is true when the store is there already.
        """
        folder = Path(path)
        start = Start.look(folder, asked)
        if start.done and start.found is not None:
            return cls(folder, start.found, start.table, None)
        with writing(folder / MANIFEST_NAME):
            folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            lock = FolderLock(folder)
            undo.callback(lock.release)
            # Read again: another writer may have gone on until just now.
            start = Start.look(folder, asked)
            manifest = start.begin()
            drop_stale(folder, manifest, start.table["hash"].to_pylist())
            undo.pop_all()
        return cls(folder, manifest, start.table, lock)

    def __enter__(self) -> "StoreWriter":
        """Give the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the folder's lock back."""
        self.close()

    def close(self) -> None:
        """Give the folder's lock back; what is written stays."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    @property
    def manifest(self) -> Manifest:
        """What lies in the folder by now."""
        return self._manifest

    @property
    def done(self) -> bool:
        """Whether the store is complete."""
        return self._manifest.complete

    def pending_shards(self) -> Iterator[PendingShard]:
        """Go through the shards that are not there yet, in order.

        Yields:
            Number, rows, and the halvings to replay.
        """
        whole = {shard.number for shard in self._manifest.shards}
        for number in range(self._manifest.shard_count):
            if number not in whole:
                halved_at = self._manifest.pending.get(number, ())
                yield PendingShard(number, self._manifest.rows_of(number), halved_at)

    @property
    def hashes(self) -> list[str]:
        """Hash of every row's example."""
        found: list[str] = self._table["hash"].to_pylist()
        return found

    def index_of(self, rows: range) -> list[int]:
        """Give the positions in the data set of some rows of the store.

        Args:
            rows: The rows, as of a pending shard.

        Returns:
            Rising numbers, with gaps where examples are left out.
        """
        found: list[int] = self._table["index"][rows.start : rows.stop].to_pylist()
        return found

    def leave_out(self, reasons: Mapping[int, str]) -> None:
        """Leave examples out; the shards from the first of them on are to be made.

        The rows behind move up, so that the store becomes the one that a data set
        without those examples gives.

        Args:
            reasons: Position in the data set -> which number is NaN or infinite.
        """
        self._require_open()
        index, hashes = (self._table[name].to_pylist() for name in ("index", "hash"))
        rows = [at for at, position in enumerate(index) if position in reasons]
        gone = [Excluded(index[at], hashes[at], reasons[index[at]]) for at in rows]
        self._table = without(self._table, gone)
        coverage = self._manifest.coverage
        entries = sorted([*excluded_in(coverage), *gone])
        fewer = replace(
            self._manifest,
            coverage=(*parameters_in(coverage), *(row.to_dict() for row in entries)),
            examples=Examples(len(self._table), ""),
        )
        # The manifest first: a run that is killed in between mends the table.
        self._note(cut(fewer, rows[0] // fewer.shard_rows))
        self._manifest = with_examples(self._path, self._manifest, self._table)
        sweep(self._path, self._manifest)
        drop_stale(self._path, self._manifest, self.hashes)

    def record_halving(self, shard: int, batch: int) -> None:
        """Note, on disk and at once, that memory ran out in a batch.

        Args:
            shard: The shard that is being made.
            batch: The batch's number in its plan.
        """
        self._require_pending(shard)
        self._note(self._manifest.with_halving(shard, batch))

    def write_shard(
        self,
        number: int,
        gradients: Mapping[str, Float[Tensor, "n _"]],
        loss: Float[Tensor, " n"],
        index: Int[Tensor, " n"],
    ) -> None:
        """Write one shard; afterwards it counts.

        Args:
            number: The shard.
            gradients: Block name -> one row an example, in the order of the examples.
            loss: Loss of each example.
            index: Position of each example in the data set.

        Raises:
            NonFiniteError: If a loss or gradient is NaN or infinite, or becomes so in
                the store's number format; names the example and the block.
        """
        self._require_pending(number)
        rows = self._manifest.rows_of(number)
        positions = self.index_of(rows)
        require_shard(self._manifest.layout, gradients, loss, index, positions)
        losses = loss.detach().to("cpu", torch.float32).contiguous()
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            at = int(bad[0])
            raise NonFiniteError(
                f"loss of example {positions[at]} is {float(loss[at])} ({len(bad)} of "
                f"{len(rows)} examples of this shard); leave such examples out."
            )
        written = write_shard(
            self._path / shard_name(number),
            {
                **self._stored(gradients, positions, shard_name(number)),
                INDEX: torch.tensor(positions),
                LOSS: losses,
            },
        )
        halved_at = self._manifest.pending.get(number, ())
        shard = Shard(
            number, rows.start, len(rows), **vars(written), halved_at=halved_at
        )
        self._note(self._manifest.with_shard(shard))

    def take(
        self, shards: Sequence[Shard], pending: Mapping[int, Sequence[int]]
    ) -> None:
        """Note shards whose files other processes wrote (`store.beside`).

        Args:
            shards: What they wrote.
            pending: Shard number -> halvings, of shards that they did not finish.
        """
        self._require_open()
        manifest = self._manifest
        for shard in shards:
            self._require_pending(shard.number)
            manifest = manifest.with_shard(shard)
        for number, batches in pending.items():
            manifest = replace(
                manifest, pending={**manifest.pending, number: tuple(batches)}
            )
        if manifest != self._manifest:
            self._note(manifest)

    def finish(self) -> None:
        """Mark the store complete.

        Raises:
            StoreError: If shards are still missing.
        """
        if self.done:
            return
        missing = self._manifest.shard_count - len(self._manifest.shards)
        if missing:
            raise StoreError(
                f"{self._path} cannot be finished: {missing} of "
                f"{self._manifest.shard_count} shards are still to be written."
            )
        self._note(replace(self._manifest, complete=True))

    def _stored(
        self,
        gradients: Mapping[str, Float[Tensor, "n _"]],
        positions: Sequence[int],
        shard: str,
    ) -> dict[str, Tensor]:
        """Round the rows and measure them as they will be read."""
        dtype = self._manifest.dtype
        names = self._manifest.layout.names
        found = {
            name: rounded(gradients[name], dtype, name=name, index=positions)
            for name in names
        }
        norms = torch.stack([found[name].norms for name in names], dim=1)
        if dtype in (StoreDtype.FP16, StoreDtype.INT8):
            exact = [squared_norms(gradients[name].detach().cpu()) for name in names]
            warn_of_loss(torch.stack(exact, dim=1), norms, shard, dtype)
        tensors = {name: found[name].rows for name in names}
        tensors[SQUARED_NORMS] = norms
        scales = [each.scales for each in found.values() if each.scales is not None]
        if scales:
            tensors[SCALES] = torch.stack(scales, dim=1)
        return tensors

    def _note(self, manifest: Manifest) -> None:
        """Write the manifest, then take it as what lies there."""
        write_whole(self._path / MANIFEST_NAME, [manifest.to_bytes()])
        self._manifest = manifest

    def _require_open(self) -> None:
        """Refuse to write without the folder's lock."""
        if self._lock is None:
            raise StoreError(f"{self._path} is complete or its writer is closed.")

    def _require_pending(self, number: int) -> None:
        """Refuse to touch what is there already, or is not ours to write."""
        self._require_open()
        known = [shard.number for shard in self._manifest.shards]
        if number in known or not 0 <= number < self._manifest.shard_count:
            raise OptionError(
                f"shard {number} of {self._path} is not pending: it holds "
                f"{self._manifest.shard_count} shards, {len(known)} of them written."
            )
