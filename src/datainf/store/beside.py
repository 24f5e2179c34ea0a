"""BesideWriter: writes shards of a store whose lock and manifest another process has.

Where several processes make one store, one of them holds the lock and writes the
manifest; the others write the files of shards and tell it which. A shard counts once it
is in the manifest on disk, as ever: files of a run that died are swept by the next.
"""

from collections.abc import Mapping
from pathlib import Path

from datainf.core.errors import StoreError
from datainf.store.excluded import excluded_in, without
from datainf.store.manifest import Manifest
from datainf.store.start import Asked
from datainf.store.writer import StoreWriter


class BesideWriter(StoreWriter):
    """A writer without the lock: its manifest is what it was told, and its own work."""

    def __init__(self, path: Path, asked: Asked, manifest: Manifest) -> None:
        """Take a store that is open for writing elsewhere.

        Args:
            path: The folder.
            asked: The store that is made, of every row.
            manifest: As it lies there.
        """
        self._asked = asked
        super().__init__(path, manifest, asked.table, None)
        self.follow(manifest)

    def follow(self, manifest: Manifest) -> None:
        """Go on from what the manifest says now.

        Args:
            manifest: As the other process wrote it.
        """
        self._manifest = manifest
        self._table = without(self._asked.table, excluded_in(manifest.coverage))

    def leave_out(self, reasons: Mapping[int, str]) -> None:
        """Refuse: only the process with the lock says which rows there are.

        Args:
            reasons: Not used.

        Raises:
            StoreError: Always.
        """
        raise StoreError(
            f"{self._path} is led by another process, which alone leaves rows out: got "
            f"{len(reasons)}; tell it of them."
        )

    def finish(self) -> None:
        """Refuse: only the process with the lock finishes the store.

        Raises:
            StoreError: Always.
        """
        raise StoreError(
            f"{self._path} is led by another process, which alone finishes it."
        )

    def _note(self, manifest: Manifest) -> None:
        """Remember what the process with the lock is to be told."""
        self._manifest = manifest

    def _require_open(self) -> None:
        """Allow shards to be written: whoever has the lock has asked for them."""
