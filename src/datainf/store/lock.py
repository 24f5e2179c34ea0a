"""One writer a folder: an exclusive lock that ends with the process that holds it.

An advisory `flock` on the empty file `.lock`, which stays in the folder. A killed
process leaves no lock behind.
"""

import fcntl
import os
from pathlib import Path

from datainf.core.errors import StoreBusyError
from datainf.store.atomic import writing

LOCK_NAME = ".lock"


class FolderLock:
    """An exclusive lock on a folder, held from construction to `release`."""

    def __init__(self, folder: Path) -> None:
        """Take the lock, or refuse at once.

        Args:
            folder: An existing folder.

        Raises:
            StoreBusyError: If another writer holds it.
        """
        path = folder / LOCK_NAME
        with writing(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            free = _flock(handle)
        if not free:
            raise StoreBusyError(
                f"{folder} is being written by another process; wait until it ends, or "
                "choose another folder."
            )
        self._handle: int | None = handle

    def release(self) -> None:
        """Give the lock back; once is enough, twice does no harm."""
        if self._handle is not None:
            # Unlocked by name: a forked child may still hold the same open file.
            fcntl.flock(self._handle, fcntl.LOCK_UN)
            os.close(self._handle)
            self._handle = None


def _flock(handle: int) -> bool:
    """Lock an open file and say whether it was free; close it if not."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    return True
