"""What is left of an earlier run: whether it may go on, and from where.

Only shards that the manifest names count. Everything else of ours (temporary files, a
shard that was renamed but not yet noted) is swept away and made again.
"""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from datainf.core.durable import PARTIAL
from datainf.core.errors import DatainfWarning, StoreError
from datainf.store.atomic import write_whole, writing
from datainf.store.examples import EXAMPLES_NAME, read_examples, write_examples
from datainf.store.lock import LOCK_NAME
from datainf.store.manifest import MANIFEST_NAME, Examples, Manifest
from datainf.store.parsing import read_manifest

_SHARD_FILE = re.compile(r"shard-\d{5,}\.safetensors")
_TEMPORARY = re.compile(
    r"((shard|factors)-\d{5,}\.safetensors|examples\.parquet|(manifest|factors)\.json)"
    r"\.partial"
)


def existing(folder: Path) -> Manifest | None:
    """Read what an earlier run left; None for a new or empty folder.

    Args:
        folder: Where the store is to lie.

    Returns:
        The manifest, finished or not.

    Raises:
        StoreError: If the folder holds something else.
    """
    if (folder / MANIFEST_NAME).is_file():
        return read_manifest(folder)
    # A run killed before its first manifest leaves no more than these.
    early = {LOCK_NAME, EXAMPLES_NAME, EXAMPLES_NAME + PARTIAL, MANIFEST_NAME + PARTIAL}
    if folder.is_dir():
        foreign = sorted({path.name for path in folder.iterdir()} - early)
        if foreign:
            raise StoreError(
                f"{folder} has no {MANIFEST_NAME} but holds {_some(foreign)}; give a "
                "new or empty folder."
            )
    return None


def require_same(folder: Path, found: Manifest, asked: Manifest) -> None:
    """Refuse to go on with, or to reuse, a store that was asked for differently.

    Args:
        folder: The store.
        found: What lies there.
        asked: What is asked for now.

    Raises:
        StoreError: If they differ; lists how, what lies there first.
    """
    differences = differing(found, asked)
    if differences:
        ways = "Choose another folder, or delete this one."
        if not differing(found, asked, data=False):
            ways = (
                "Choose another folder, delete this one, or give reuse=DIR (--reuse "
                "DIR) to keep the rows that did not change."
            )
        raise StoreError(
            f"{folder} holds a store of something else: {'; '.join(differences)}. "
            f"{ways}"
        )


def differing(found: Manifest, asked: Manifest, *, data: bool = True) -> list[str]:
    """Say in words where two manifests ask for different stores.

    Args:
        found: What lies there.
        asked: What is asked for now.
        data: Whether the rows must be the same too.

    Returns:
        One phrase a difference, what lies there first; empty when there is none.
    """
    differences = found.identity.differences(asked.identity, data=data)
    if found.layout != asked.layout:
        differences.append("other blocks")
    if data and found.rows != asked.rows:
        differences.append(f"rows: {found.rows} against {asked.rows}")
    for name in ("dtype", "parameters", "batch_tokens", "store_text"):
        mine, theirs = getattr(found.options, name), getattr(asked.options, name)
        if mine != theirs:
            differences.append(f"{name}: {mine} against {theirs}")
    if found.shard_rows != asked.shard_rows and found.dtype == asked.dtype:
        differences.append(f"shard_rows: {found.shard_rows} against {asked.shard_rows}")
    if not found.complete and found.library_version != asked.library_version:
        differences.append(
            f"begun by datainf {found.library_version} and not finished, this is "
            f"{asked.library_version}"
        )
    return differences


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Say whether nothing is left to do: complete, and every file of its size."""
    return (
        manifest.complete
        and not _lost(folder, manifest)
        and (folder / EXAMPLES_NAME).is_file()
    )


def begin(folder: Path, manifest: Manifest, table: pa.Table, *, new: bool) -> Manifest:
    """Bring a folder into the state of its manifest, ready for the next shard.

    Args:
        folder: The store, locked.
        manifest: What it holds, or is to hold.
        table: Its examples.
        new: Whether it is begun only now.

    Returns:
        The manifest as it lies there now.

    Raises:
        StoreError: If an unfinished store was begun with other examples.
    """
    if new:
        return with_examples(folder, manifest, table)
    manifest = _without_lost_shards(folder, manifest)
    sweep(folder, manifest)
    try:
        kept = read_examples(
            folder,
            rows=manifest.rows,
            sha256=manifest.examples.sha256,
            store_text=manifest.options.store_text,
        )
    except StoreError:  # gone or damaged: it can be made anew
        return with_examples(folder, manifest, table)
    for name in table.column_names:
        if not kept[name].equals(table[name]):
            raise StoreError(
                f"{folder} holds an unfinished store of other examples: column "
                f"{name!r} differs. Choose another folder, or delete this one."
            )
    return manifest


def with_examples(folder: Path, manifest: Manifest, table: pa.Table) -> Manifest:
    """Write the table of examples, then the manifest that names it.

    Args:
        folder: The store, locked.
        manifest: What it is to hold.
        table: Its examples.

    Returns:
        The manifest as it lies there now.
    """
    written = write_examples(folder, table)
    examples = Examples(manifest.rows, written.sha256)
    manifest = replace(manifest, examples=examples)
    write_whole(folder / MANIFEST_NAME, [manifest.to_bytes()])
    return manifest


def _without_lost_shards(folder: Path, manifest: Manifest) -> Manifest:
    """Take out shards whose files are gone or of another size, and say so."""
    for number in _lost(folder, manifest):
        manifest = manifest.without_shard(number)
        warnings.warn(
            f"{folder}: shard {number} is missing or of another size than it was; it "
            "is made again.",
            DatainfWarning,
            stacklevel=4,
        )
    return manifest


def _lost(folder: Path, manifest: Manifest) -> list[int]:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    return [s.number for s in manifest.shards if sizes.get(s.name) != s.bytes]


def sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what a killed run left: temporary files and shards that do not count.

    Args:
        folder: The store, locked.
        manifest: What it holds.
    """
    counted = {shard.name for shard in manifest.shards}
    with writing(folder / MANIFEST_NAME):
        for path in folder.iterdir():
            stray = _SHARD_FILE.fullmatch(path.name) and path.name not in counted
            if stray or _TEMPORARY.fullmatch(path.name):
                path.unlink()


def _some(names: list[str]) -> str:
    """List a few names."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
