"""GradientStore: a finished store, read through the kernel's page cache.

N rows, n of one portion, L blocks, d parameters of a block. One shard is mapped at a
time, and of it only the span of the wanted blocks; the mapping ends when the reader and
its consumer have let go of it. Anonymous memory: the squared norms of one portion.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from datainf.core.errors import OptionError, StoreError, near
from datainf.core.factors import Factors, FactorSums, means
from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.places import local_path
from datainf.core.source import RowBlock
from datainf.core.store_dtype import StoreDtype
from datainf.store.atomic import reading
from datainf.store.checksum import require_checksum
from datainf.store.examples import EXAMPLES_NAME, read_examples
from datainf.store.excluded import Excluded, excluded_in
from datainf.store.factors import FactorNote, fits, read_block, read_note
from datainf.store.int8 import restored
from datainf.store.manifest import Manifest, Shard
from datainf.store.parsing import read_manifest
from datainf.store.rounding import TORCH_DTYPES
from datainf.store.shard import INDEX, LOSS, SCALES, SQUARED_NORMS, ShardFile, ShardForm

# Stored bytes of a portion, so that its float64 twin stays small.
_PORTION_BYTES = 16 * 2**20


def open_store(path: str | Path, *, check: bool = True) -> "GradientStore":
    """Open a finished store for reading.

    The manifest is checked to the byte at once, the other files by existence and size,
    and each shard to the byte when it is read for the first time.

    Args:
        path: The folder that `datainf collect` wrote.
        check: Whether to check shards before they are read: once a store that is
            opened, at the speed of sha256. Without it a damaged file may give other
            scores and nothing says so.

    Returns:
        The store, a `GradientSource`.

    Raises:
        StoreError: If it is foreign, altered, unfinished, or a file is missing.
    """
    folder = local_path(path)
    manifest = read_manifest(folder)
    if not manifest.complete:
        raise StoreError(
            f"{folder} is unfinished: {len(manifest.shards)} of {manifest.shard_count} "
            "shards are there; run the command that began it again, it goes on from "
            "there."
        )
    for shard in manifest.shards:
        file = folder / shard.name
        with reading(file):
            size = file.stat().st_size
        if size != shard.bytes:
            raise StoreError(
                f"{file} has {size} bytes, the manifest says {shard.bytes}; run the "
                "command that made the store again, it makes this shard anew."
            )
    table = folder / EXAMPLES_NAME
    with reading(table):
        table.stat()
    return GradientStore(folder, manifest, check=check)


class GradientStore:
    """Per-example gradients on disk, read again and again in the same order."""

    def __init__(self, path: Path, manifest: Manifest, *, check: bool = True) -> None:
        """Take a checked folder; use `open_store`.

        Args:
            path: The folder.
            manifest: Its manifest, complete.
            check: Whether to check a shard's bytes before it is read.
        """
        self._unchecked = {s.number for s in manifest.shards} if check else set[int]()
        # Which file each shard was when it was last read: a store may be replaced.
        self._seen: dict[int, tuple[int, int]] = {}
        self._path = path
        self._check = check
        self._manifest = manifest
        self._forms = {
            rows: ShardForm(manifest.layout, manifest.dtype, rows)
            for rows in {shard.rows for shard in manifest.shards}
        }

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    @property
    def manifest(self) -> Manifest:
        """What the store holds and how it was made."""
        return self._manifest

    @property
    def layout(self) -> Layout:
        """Names, shapes and order of the blocks."""
        return self._manifest.layout

    @property
    def identity(self) -> Identity:
        """What the gradients were made from."""
        return self._manifest.identity

    @cached_property
    def excluded(self) -> list[Excluded]:
        """Rows of the data set that are left out, and why."""
        return excluded_in(self._manifest.coverage)

    @property
    def dtype(self) -> StoreDtype:
        """Number format of the gradients."""
        return self._manifest.dtype

    @property
    def _read_as(self) -> torch.dtype:
        """Number format of the rows as they are read."""
        return torch.float32 if self.dtype.scaled else TORCH_DTYPES[self.dtype]

    def __len__(self) -> int:
        """Count the examples, N."""
        return self._manifest.rows

    @cached_property
    def losses(self) -> NDArray[np.float32]:
        """Loss of each example, `[N]`."""
        return self.losses_among(range(len(self)))

    def losses_among(self, rows: range) -> NDArray[np.float32]:
        """Give the losses of whole shards.

        Args:
            rows: Those of the shards, n of them.

        Returns:
            `[n]`; the files of other shards are not opened.
        """
        # What no shard gives has no number format either.
        return self._column(LOSS, rows).astype(np.float32, copy=False)

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """Position of each example in the data set, `[N]`."""
        return self._column(INDEX, range(len(self)))

    @property
    def examples(self) -> pd.DataFrame:
        """One row an example: `index`, `hash`, `tokens`, and `text` where kept."""
        frame: pd.DataFrame = self._table().to_pandas()
        return frame

    def examples_at(self, places: Sequence[int]) -> pd.DataFrame:
        """Give the examples of some rows, without a table of all.

        Args:
            places: Places in the store, in any order.

        Returns:
            As `examples`.
        """
        frame: pd.DataFrame = self._table().take(list(places)).to_pandas()
        return frame

    def _table(self) -> pa.Table:
        """Read the table of examples, checked."""
        manifest = self._manifest
        return read_examples(
            self._path,
            rows=manifest.rows,
            sha256=manifest.examples.sha256,
            store_text=manifest.options.store_text,
        )

    def rows(
        self,
        blocks: Sequence[str] | None = None,
        *,
        size: int | None = None,
        among: range | None = None,
    ) -> Iterator[RowBlock]:
        """Go through the rows in order.

        Args:
            blocks: Names of the blocks to read; all when None, none when empty.
            size: At most so many rows a portion; some 16 MiB of them when None. No
                portion goes beyond a shard.
            among: Only the shards that begin within these rows; all when None.

        Yields:
            Consecutive rows: views of a mapped shard; of int8, float32 of their own.

        Raises:
            OptionError: If a block is unknown or the size below 1.
        """
        names = self.layout.names if blocks is None else tuple(blocks)
        for name in names:
            if name not in self.layout.sizes:
                raise OptionError(
                    f"block {name!r} is unknown: {near(name, self.layout.names)}."
                )
        if size is None:
            numbers = sum(self.layout.sizes[name] for name in names)
            size = max(1, _PORTION_BYTES // max(1, numbers * self._read_as.itemsize))
        if size < 1:
            raise OptionError(f"size must be at least 1, got {size}.")
        for shard in self._manifest.shards:
            if among is None or shard.start in among:
                yield from self._shard_rows(shard, names, size)

    def factors(self, block: str) -> Factors | None:
        """Give the Kronecker factors of a block.

        Args:
            block: Its name.

        Returns:
            The factors, or why it has none; None where they were not gathered, or not
            from every row.

        Raises:
            OptionError: If the block is unknown.
        """
        if block not in self.layout.sizes:
            raise OptionError(
                f"block {block!r} is unknown: {near(block, self.layout.names)}."
            )
        note = self._factor_note
        if note is None:
            return None
        if block in note.tokens:
            return means(read_block(self._path, note, block))
        return FactorSums(note.missing).factors(block)

    @cached_property
    def _factor_note(self) -> FactorNote | None:
        """What there is to know of the factors, checked like a shard."""
        note, manifest = read_note(self._path), self._manifest
        if note is None or note.shards < manifest.shard_count:
            return None
        if not fits(note, manifest, self.examples["hash"].tolist()):
            return None
        if self._check:
            require_checksum(self._path / note.name, note.written.sha256)
        return note

    def take(
        self, numbers: Sequence[int]
    ) -> tuple[dict[str, Float[Tensor, "n _"]], Float[Tensor, " n"]]:
        """Read some rows into memory.

        Args:
            numbers: Their places in the store, n of them, in any order.

        Returns:
            Block -> `[n, d]`, as `rows` gives them, and the losses `[n]`.
        """
        rows = {
            name: torch.empty(len(numbers), size, dtype=self._read_as)
            for name, size in self.layout.sizes.items()
        }
        losses = torch.empty(len(numbers))
        places: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            places.setdefault(number // self._manifest.shard_rows, []).append(place)
        for shard in self._manifest.shards:
            mine = places.get(shard.number, [])
            if mine:
                at = torch.tensor([numbers[place] - shard.start for place in mine])
                with self._open(shard) as file:
                    tensors = file.map(self.layout.names)
                    losses[mine] = file.read(LOSS)[at]
                    scales = self._scales(file)
                for name, tensor in tensors.items():
                    rows[name][mine] = self._numbers(name, tensor, scales, at)
        return rows, losses

    def _shard_rows(
        self, shard: Shard, names: Sequence[str], size: int
    ) -> Iterator[RowBlock]:
        """Go through one shard; its mapping is this frame's and ends with it."""
        with self._open(shard) as file:
            tensors = file.map(names)
            norms = file.read(SQUARED_NORMS)
            scales = self._scales(file)
        for at in range(0, shard.rows, size):
            part = slice(at, at + size)
            yield RowBlock(
                start=shard.start + at,
                gradients={
                    name: self._numbers(name, tensors[name], scales, part)
                    for name in names
                },
                squared_norms=norms[part],
            )

    def _scales(self, file: ShardFile) -> Float[Tensor, "n L"] | None:
        """Read the scales of a shard's rows, where the format has them."""
        return file.read(SCALES) if self.dtype.scaled else None

    def _numbers(
        self,
        name: str,
        stored: Shaped[Tensor, "n _"],
        scales: Float[Tensor, "n L"] | None,
        which: slice | Tensor,
    ) -> Float[Tensor, "m _"]:
        """Read some of a block's stored rows as numbers."""
        if scales is None:
            return stored[which]
        column = self.layout.names.index(name)
        return restored(stored[which], scales[which, column])

    def _open(self, shard: Shard) -> ShardFile:
        """Open a shard, checked to the byte the first time."""
        path = self._path / shard.name
        with reading(path):
            found = path.stat()
        this = found.st_ino, found.st_mtime_ns
        if shard.number in self._unchecked:
            require_checksum(path, shard.sha256)
            self._unchecked.discard(shard.number)
        elif self._seen.get(shard.number, this) != this:
            raise StoreError(
                f"{path} was replaced while the store was open; open it again."
            )
        self._seen[shard.number] = this
        return ShardFile(path, self._forms[shard.rows])

    def _column(self, name: str, among: range) -> NDArray[Any]:
        """Read one small tensor of the shards that begin within some rows."""
        parts = [np.empty(0)]
        for shard in self._manifest.shards:
            if shard.start in among:
                with self._open(shard) as file:
                    parts.append(file.read(name).numpy())
        return np.concatenate(parts[1:] or parts)
