"""verify: reads every byte of a store and says everything that is wrong with it.

N rows, n of one portion, L blocks, d parameters of a block. Time: one reading of the
store for the hashes, one for the numbers. Memory: one portion.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from datainf.core.errors import StoreError
from datainf.store.atomic import reading
from datainf.store.examples import EXAMPLES_NAME, read_examples
from datainf.store.factors import factor_faults, factor_files
from datainf.store.int8 import restored
from datainf.store.lock import LOCK_NAME
from datainf.store.manifest import MANIFEST_NAME, Manifest, Shard
from datainf.store.parsing import build, check_form, decode
from datainf.store.rounding import squared_norms
from datainf.store.shard import INDEX, LOSS, SCALES, SQUARED_NORMS, ShardFile, ShardForm

# Squared norms are float64 sums; only their order may differ between machines.
_NORM_TOLERANCE = 1e-9
_PORTION = 4 * 2**20


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found.

    Attributes:
        path: The store.
        rows: Rows of the shards that were read.
        shards: Shards that were read.
        bytes: Bytes that were read.
        faults: Everything that is wrong, in words; empty when nothing is.
    """

    path: Path
    rows: int
    shards: int
    bytes: int
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(path: str | Path) -> VerifyReport:
    """Check a store to the last byte; never stops at the first fault.

    Args:
        path: The folder.

    Returns:
        Counts and faults.
    """
    folder = Path(path)
    faults: list[str] = []
    manifest = _manifest(folder, faults)
    if manifest is None:
        return VerifyReport(folder, 0, 0, 0, tuple(faults))
    if not manifest.complete:
        faults.append(
            f"unfinished: {len(manifest.shards)} of {manifest.shard_count} shards are "
            "there; run the command that began it again"
        )
    index = _examples(folder, manifest, faults)
    faults.extend(_factor_faults(folder, manifest, index is not None))
    read = []
    for shard in manifest.shards:
        try:
            faults.extend(_shard_faults(folder, manifest, shard, index))
            read.append(shard)
        except StoreError as error:
            faults.append(str(error))
    known = {MANIFEST_NAME, EXAMPLES_NAME, LOCK_NAME}
    known.update(shard.name for shard in manifest.shards)
    known.update(factor_files(folder))
    faults.extend(
        f"{name} does not belong to the store"
        for name in sorted(entry.name for entry in folder.iterdir())
        if name not in known
    )
    return VerifyReport(
        path=folder,
        rows=sum(shard.rows for shard in read),
        shards=len(read),
        bytes=sum((folder / shard.name).stat().st_size for shard in read),
        faults=tuple(faults),
    )


def _manifest(folder: Path, faults: list[str]) -> Manifest | None:
    """Read the manifest; one with a wrong checksum can still say what to look at."""
    manifest = None
    try:
        with reading(folder / MANIFEST_NAME):
            data = (folder / MANIFEST_NAME).read_bytes()
    except StoreError as error:
        faults.append(str(error))
        return None
    try:
        value = decode(data)
        manifest = build(value)
        check_form(data, value)
    except StoreError as error:
        rest = "" if manifest else "; nothing else was checked"
        faults.append(f"{MANIFEST_NAME}: {error}{rest}")
    return manifest


def _examples(
    folder: Path, manifest: Manifest, faults: list[str]
) -> NDArray[np.int64] | None:
    """Check the table of examples; give each row's position in the data set."""
    try:
        table = read_examples(
            folder,
            rows=manifest.rows,
            sha256=manifest.examples.sha256,
            store_text=manifest.options.store_text,
        )
    except (StoreError, pa.ArrowException) as error:
        faults.append(str(error))
        return None
    index: NDArray[np.int64] = table["index"].to_numpy()
    return index


def _factor_faults(folder: Path, manifest: Manifest, readable: bool) -> list[str]:
    """Check the factors, where the table says which rows they must be of."""
    if not readable:
        return []
    table = read_examples(
        folder,
        rows=manifest.rows,
        sha256=manifest.examples.sha256,
        store_text=manifest.options.store_text,
    )
    return factor_faults(folder, manifest, table["hash"].to_pylist())


def _shard_faults(
    folder: Path, manifest: Manifest, shard: Shard, index: NDArray[np.int64] | None
) -> Iterator[str]:
    """Check one shard: its bytes, then its numbers."""
    path = folder / shard.name
    with reading(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size != shard.bytes:
        yield f"{shard.name} has {size} bytes, the manifest says {shard.bytes}"
    if digest != shard.sha256:
        yield f"{shard.name} is altered: its sha256 is not the manifest's"
    try:
        with safe_open(path, framework="pt"):
            pass
    except SafetensorError as error:
        yield f"{shard.name} is no safetensors file: {error}"
        return
    form = ShardForm(manifest.layout, manifest.dtype, shard.rows)
    with ShardFile(path, form) as opened:
        rows = slice(shard.start, shard.start + shard.rows)
        if index is not None and opened.read(INDEX).tolist() != index[rows].tolist():
            yield f"{shard.name}: index differs from that of {EXAMPLES_NAME}"
        if not torch.isfinite(opened.read(LOSS)).all():
            yield f"{shard.name}: a loss is NaN or infinite"
        norms = opened.read(SQUARED_NORMS)
        scales = opened.read(SCALES) if manifest.dtype.scaled else None
        for column, (name, numbers) in enumerate(manifest.layout.sizes.items()):
            step = max(1, _PORTION // numbers)
            parts: Iterable[Tensor] = torch.split(opened.map([name])[name], step)
            if scales is not None:
                pairs = zip(parts, torch.split(scales[:, column], step), strict=True)
                parts = (restored(*pair) for pair in pairs)
            found = torch.cat([squared_norms(part) for part in parts])
            said = norms[:, column]
            if not torch.isfinite(found).all():
                yield f"{shard.name}: a gradient of {name} is NaN or infinite"
            elif not torch.allclose(found, said, rtol=_NORM_TOLERANCE, atol=0.0):
                yield f"{shard.name}: squared norms of {name} are not those of its rows"
