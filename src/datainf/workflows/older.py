"""Reusing an older store: where it lies, and when it has to make room.

An older store in another folder is only read. One that lies where the new store is to
lie is moved aside at one stroke, read from there, and removed when the new one is
finished: whatever moment a run dies at, the old store is whole in one of both places,
and the same command goes on.
"""

from dataclasses import dataclass
from pathlib import Path

from datainf.core.errors import StoreError
from datainf.store.manifest import MANIFEST_NAME
from datainf.store.reader import GradientStore, open_store
from datainf.store.resume import existing
from datainf.store.reuse import (
    ReusedRows,
    aside,
    move_aside,
    remove_store,
    require_reusable,
)
from datainf.store.start import Asked, Start


@dataclass(frozen=True)
class Older:
    """A store whose rows are to be reused.

    Attributes:
        named: The folder that was named.
        out: Where the new store is to lie.
    """

    named: Path
    out: Path

    @property
    def in_place(self) -> bool:
        """Whether both are the same folder."""
        return self.named.resolve() == self.out.resolve()

    def replaced_by(self, asked: Asked) -> bool:
        """Say whether a finished store in the new one's place has to make room.

        Args:
            asked: The new store.

        Returns:
            False where what lies there is the new store itself, begun or finished, or
            grows into it, or is not the older store.
        """
        if not self.in_place:
            return False
        found = existing(self.out)
        if found is None or not found.complete:
            return False
        if found.identity.data == asked.manifest.identity.data:
            return False
        try:
            Start.look(self.out, asked)
        except StoreError:
            return True
        return False

    def require_fitting(self, asked: Asked) -> None:
        """Refuse an older store whose rows cannot become rows of the new one.

        Args:
            asked: The new store.
        """
        store = open_store(self.out) if self.replaced_by(asked) else self._store()
        if store is not None:
            require_reusable(store, asked.manifest)

    def rows(self, asked: Asked) -> ReusedRows | None:
        """Give the rows, after making room for the new store.

        Args:
            asked: The new store.

        Returns:
            The rows; None where a store is named that is not there yet.
        """
        if self.replaced_by(asked):
            self.clear()  # left by a run that was cut off when it had finished
            move_aside(self.out)
        store = self._store()
        return None if store is None else ReusedRows(store)

    def clear(self) -> None:
        """Remove what was moved aside; its rows are in the new store."""
        if self.in_place and (aside(self.out) / MANIFEST_NAME).is_file():
            remove_store(aside(self.out))

    def _store(self) -> GradientStore | None:
        """Open the older store where it lies now."""
        if not self.in_place:
            return open_store(self.named)
        place = aside(self.out)
        return open_store(place) if (place / MANIFEST_NAME).is_file() else None
