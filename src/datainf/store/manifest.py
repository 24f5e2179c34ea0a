"""The manifest: what a store holds, how it was made, and how far it has come.

`manifest.json` is the canonical JSON text of one `Manifest` (`FORMAT.md` describes
every key), with a checksum over the rest of itself. Written anew after each shard.
N rows, L blocks, D parameters of all blocks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from datainf.core.batch import budget_of
from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions
from datainf.core.store_dtype import StoreDtype

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
_SHARD_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Shard:
    """A whole shard: rows `start` to `start + rows` of the store.

    Attributes:
        number: Its place; also its file's name.
        start: Position of its first row.
        rows: How many rows it holds.
        bytes: Size of its file.
        sha256: Hash of its file.
        halved_at: Batches at which memory ran out while it was made.
    """

    number: int
    start: int
    rows: int
    bytes: int
    sha256: str
    halved_at: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Name of its file."""
        return shard_name(self.number)


@dataclass(frozen=True)
class Examples:
    """What `examples.parquet` must be: its number of rows and its hash."""

    rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a store holds and how far it has come.

    Attributes:
        library_version: The version of datainf that started the store.
        layout: Names, shapes and order of the blocks, as rows hold them.
        identity: Fingerprints of base, adapter, task and data.
        options: How gradients were gathered; `shard_rows` is always a number here.
        coverage: Which rule each parameter's gradients came from.
        examples: The table beside the shards; it has N rows.
        shards: The whole shards, by number.
        pending: Shard number -> halvings so far, of shards that are being made.
        complete: Whether every shard is there.
    """

    library_version: str
    layout: Layout
    identity: Identity
    options: CollectOptions
    coverage: tuple[Any, ...]
    examples: Examples
    shards: tuple[Shard, ...] = ()
    pending: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    complete: bool = False

    @property
    def rows(self) -> int:
        """Number of examples, N."""
        return self.examples.rows

    @property
    def dtype(self) -> StoreDtype:
        """Number format of the gradients."""
        return StoreDtype(self.options.dtype)

    @cached_property
    def shard_rows(self) -> int:
        """Rows of every shard but the last."""
        return self.options.shard_rows or default_shard_rows(self.layout, self.dtype)

    @property
    def shard_count(self) -> int:
        """Number of shards of the finished store."""
        return -(-self.rows // self.shard_rows)

    def rows_of(self, number: int) -> range:
        """Give the rows of a shard, as positions in the store."""
        start = number * self.shard_rows
        return range(start, min(start + self.shard_rows, self.rows))

    def with_halving(self, number: int, batch: int) -> "Manifest":
        """Note that memory ran out in a batch of an unfinished shard."""
        pending = {**self.pending, number: (*self.pending.get(number, ()), batch)}
        return replace(self, pending=pending)

    def with_shard(self, shard: Shard) -> "Manifest":
        """Note a shard that is now whole."""
        pending = {k: v for k, v in self.pending.items() if k != shard.number}
        shards = sorted((*self.shards, shard), key=lambda one: one.number)
        return replace(self, shards=tuple(shards), pending=pending)

    def without_shard(self, number: int) -> "Manifest":
        """Take a shard back; its halvings stay, so that it is made as before."""
        (lost,) = (shard for shard in self.shards if shard.number == number)
        rest = tuple(shard for shard in self.shards if shard.number != number)
        pending = dict(self.pending)
        if lost.halved_at:
            pending[number] = lost.halved_at
        return replace(self, shards=rest, pending=pending, complete=False)

    def to_bytes(self) -> bytes:
        """Write the manifest as the bytes of `manifest.json`."""
        options, projection = self.options, self.options.projection
        value: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "library_version": self.library_version,
            "layout": [
                {"name": b.name, "shape": list(b.whole or b.shape)} for b in self.layout
            ],
            "dtype": self.dtype.value,
            "projection": None if projection is None else projection.to_dict(),
            "identity": self.identity.to_dict(),
            "options": {
                "batch_tokens": budget_of(options.batch_tokens),
                "output": str(options.output),
                "parameters": str(options.parameters),
                "store_text": options.store_text,
            },
            "coverage": list(self.coverage),
            "rows": self.rows,
            "shard_rows": self.shard_rows,
            "shards": [_shard_value(shard) for shard in self.shards],
            "pending": {str(k): list(v) for k, v in self.pending.items()},
            "examples": {"rows": self.rows, "sha256": self.examples.sha256},
            "complete": self.complete,
        }
        value["checksum"] = sha256_of(value)
        return canonical_json(value).encode()


def shard_name(number: int) -> str:
    """Give the file name of a shard."""
    return f"shard-{number:05d}.safetensors"


def default_shard_rows(layout: Layout, dtype: StoreDtype | str) -> int:
    """Choose how many rows make a shard of about 64 MiB.

    Args:
        layout: The blocks of a row.
        dtype: Number format on disk.

    Returns:
        At least 1; a function of layout and dtype alone.
    """
    return max(1, _SHARD_BYTES // (layout.total * StoreDtype(dtype).bytes))


def as_json(value: Any) -> Any:
    """Give a value as it will be read back: tuples as lists, keys as strings."""
    return json.loads(canonical_json(value))


def _shard_value(shard: Shard) -> dict[str, Any]:
    return {
        "name": shard.name,
        "start": shard.start,
        "rows": shard.rows,
        "bytes": shard.bytes,
        "sha256": shard.sha256,
        "halved_at": list(shard.halved_at),
    }
