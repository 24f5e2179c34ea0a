"""A store grows: rows added at the end of its data, the rest as it is.

Shards that are full in the old store are the same in the new one, batch for batch, so
they stay. The last, shorter shard is made anew with the first of the new rows, since
batches do not cross shards: the store ends as one that was collected at once.
"""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from datainf.core.errors import StoreError
from datainf.store.examples import read_examples
from datainf.store.manifest import Examples, Manifest
from datainf.store.resume import differing

# No file has this hash: the table of examples is to be written.
_NOT_YET = "0" * 64


def grows(folder: Path, found: Manifest, asked: Manifest, table: pa.Table) -> bool:
    """Say whether what is asked for is what lies there with rows added at the end.

    Args:
        folder: The store.
        found: What lies there, finished or not.
        asked: What is asked for now.
        table: Its examples.

    Returns:
        Whether the store may grow; false too where its own examples are unreadable.

    Raises:
        StoreError: If it could, but another version of datainf began it.
    """
    if asked.rows <= found.rows or found.identity.data == asked.identity.data:
        return False
    same = replace(asked, library_version=found.library_version)
    if differing(found, same, data=False):
        return False
    try:
        kept = read_examples(
            folder,
            rows=found.rows,
            sha256=found.examples.sha256,
            store_text=found.options.store_text,
        )
    except StoreError:
        return False
    first = table.slice(0, found.rows)
    if not all(kept[name].equals(first[name]) for name in first.column_names):
        return False
    if found.library_version != asked.library_version:
        raise StoreError(
            f"{folder} was begun by datainf {found.library_version}, this is "
            f"{asked.library_version}: only the version that began a store adds rows "
            "to it. Choose another folder, or delete this one."
        )
    return True


def grown(found: Manifest, asked: Manifest) -> Manifest:
    """Give the manifest with which a store begins to grow.

    Args:
        found: What lies there.
        asked: What it is to become.

    Returns:
        An unfinished manifest that names the shards that stay.
    """
    manifest = replace(
        found,
        identity=replace(asked.identity, about=found.identity.about),
        coverage=asked.coverage,
        examples=asked.examples,
    )
    return cut(manifest, found.rows // found.shard_rows)


def cut(manifest: Manifest, number: int) -> Manifest:
    """Take back every shard from one on, because its rows are others now.

    Args:
        manifest: With its new number of rows.
        number: The first shard that does not stay.

    Returns:
        An unfinished manifest, its table of examples still to be written.
    """
    return replace(
        manifest,
        shards=tuple(shard for shard in manifest.shards if shard.number < number),
        pending={k: v for k, v in manifest.pending.items() if k < number},
        examples=Examples(manifest.rows, _NOT_YET),
        complete=False,
    )
