"""Files that are there whole or not at all, not even after a power cut.

Written under a temporary name in the same folder, flushed to the disk, renamed; then
the folder itself is flushed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

PARTIAL = ".partial"


def write_durably(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a file so that it is never seen in part.

    Args:
        path: Where it will lie; what lies there is replaced.
        pieces: Its content, in order.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make new, renamed and removed names last through a power cut.

    Args:
        folder: The folder that holds them.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
