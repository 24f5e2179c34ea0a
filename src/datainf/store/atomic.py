"""Files of a store: whole or not at all, measured, and refusals in one clear line.

What the operating system refuses becomes a `StoreError`.
"""

import errno
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datainf.core.durable import write_durably
from datainf.core.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FOLDER = (errno.EEXIST, errno.ENOTDIR)


@dataclass(frozen=True)
class Written:
    """Size and hash of a file that was written."""

    bytes: int
    sha256: str


def write_whole(path: Path, pieces: Iterable[bytes | memoryview]) -> Written:
    """Write a file so that it is never seen in part, not even after a power cut.

    Args:
        path: Where it will lie; what lies there is replaced.
        pieces: Its content, in order.

    Returns:
        Its size and hash.
    """
    digest, size = hashlib.sha256(), 0

    def measured() -> Iterator[bytes | memoryview]:
        nonlocal size
        for piece in pieces:
            yield piece
            digest.update(piece)
            size += len(piece)

    with writing(path):
        write_durably(path, measured())
    return Written(size, digest.hexdigest())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says about writing a file into one clear line.

    Args:
        path: The file that is written.

    Yields:
        Once.

    Raises:
        StoreError: For every `OSError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            said = (
                f"the disk is full: {path} could not be written; free some space and "
                "run the same command again, it goes on after the last whole shard."
            )
        elif error.errno in _FORBIDDEN:
            said = (
                f"{path.parent} cannot be written to ({error.strerror}); choose "
                "another folder."
            )
        elif error.errno in _NO_FOLDER:
            said = f"{path.parent} is not a folder; choose another path."
        else:
            said = f"{path} could not be written: {error.strerror}."
        raise StoreError(said) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says about reading a file into one clear line.

    Args:
        path: The file that is read.

    Yields:
        Once.

    Raises:
        StoreError: For every `OSError`.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(
            f"{path} is missing; run the command that made the store again, it makes "
            "what is missing."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} could not be read: {error.strerror}.") from error
