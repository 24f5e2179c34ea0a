"""Rows of an older store, taken over where an example did not change.

n rows that are taken, d parameters of a block. Examples are known by their hashes; of
rows with equal hashes, which are equal examples, the first serves.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import StoreError
from datainf.store.atomic import writing
from datainf.store.examples import EXAMPLES_NAME
from datainf.store.factors import remove_factors
from datainf.store.lock import LOCK_NAME, FolderLock
from datainf.store.manifest import MANIFEST_NAME, Manifest
from datainf.store.parsing import read_manifest
from datainf.store.reader import GradientStore

# Beside a store that is made anew from its own rows: what it was until then.
ASIDE = ".reused"
_ALIKE = ("dtype", "parameters", "batch_tokens")


class ReusedRows:
    """The rows of one finished store, by the hashes of their examples."""

    def __init__(self, store: GradientStore) -> None:
        """Read which examples there are.

        Args:
            store: The older store.
        """
        self._store = store
        hashes = store.examples["hash"].tolist()
        self._rows = {h: row for row, h in reversed(list(enumerate(hashes)))}

    def __contains__(self, row_hash: str) -> bool:
        """Say whether an example is there."""
        return row_hash in self._rows

    def take(
        self, hashes: Sequence[str]
    ) -> tuple[dict[str, Float[Tensor, "n _"]], Float[Tensor, " n"]]:
        """Read some rows.

        Args:
            hashes: Of examples that are there, n of them.

        Returns:
            Block -> `[n, d]` in the store's number format, and the losses `[n]`.
        """
        return self._store.take([self._rows[one] for one in hashes])


def require_reusable(older: GradientStore, asked: Manifest) -> None:
    """Refuse rows that were made from something else, or in another way.

    Args:
        older: The store whose rows are to be taken.
        asked: What they are to become part of.

    Raises:
        StoreError: If anything but the data, the shards' size and the text differs.
    """
    found = older.manifest
    differences = found.identity.differences(asked.identity, data=False)
    if found.layout != asked.layout:
        differences.append("other blocks")
    for name in _ALIKE:
        mine, theirs = getattr(found.options, name), getattr(asked.options, name)
        if mine != theirs:
            differences.append(f"{name}: {mine} against {theirs}")
    if found.library_version != asked.library_version:
        differences.append(
            f"made by datainf {found.library_version}, this is {asked.library_version}"
        )
    if differences:
        raise StoreError(
            f"rows of {older.path} cannot be reused: {'; '.join(differences)}; collect "
            "without reuse."
        )


def aside(folder: Path) -> Path:
    """Name the place of a store while its rows go into the one that replaces it.

    Args:
        folder: The store's folder.

    Returns:
        A folder beside it.
    """
    return folder.with_name(folder.name + ASIDE)


def move_aside(folder: Path) -> None:
    """Move a whole store out of the way, at one stroke.

    Args:
        folder: The store; afterwards its place is free.

    Raises:
        StoreError: If something lies there already.
    """
    place = aside(folder)
    if place.exists():
        raise StoreError(
            f"{place} is there already, from a run that was cut off; delete {folder} "
            "to go on from it, or delete it."
        )
    lock = FolderLock(folder)
    try:
        with writing(place):
            os.replace(folder, place)
    finally:
        lock.release()


def remove_store(folder: Path) -> None:
    """Remove a store, and its folder if nothing else lies in it.

    Args:
        folder: The store; the manifest goes last, so that a kill leaves it known.
    """
    manifest = read_manifest(folder)
    remove_factors(folder)
    names = [shard.name for shard in manifest.shards]
    with writing(folder):
        for name in (*names, EXAMPLES_NAME, LOCK_NAME, MANIFEST_NAME):
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
