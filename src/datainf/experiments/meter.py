"""Seconds and peak memory of a piece of work, in this process.

Memory is that of anonymous pages (`RssAnon`: a mapped store is not ours), looked at
every few milliseconds by a second thread: the highest seen, above what was held before.
A peak shorter than that is missed. Where the system does not tell (no /proc), memory is
None.
"""

import ctypes
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_EVERY = 0.002


@dataclass
class Metered:
    """What a piece of work took; filled in when it ends.

    Attributes:
        seconds: Wall-clock time.
        peak_mib: Highest anonymous memory above the start, in MiB.
    """

    seconds: float = 0.0
    peak_mib: float | None = None


@contextmanager
def metered() -> Iterator[Metered]:
    """Measure what happens inside.

    Yields:
        The measurement, filled in at the end.
    """
    found, over = Metered(), threading.Event()
    _give_back()
    before = _anonymous()
    highest = [before]

    def look() -> None:
        while not over.wait(_EVERY):
            highest.append(max(highest.pop(), _anonymous()))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        yield found
    finally:
        found.seconds = time.perf_counter() - start
        over.set()
        watcher.join()
        if before:
            found.peak_mib = (max(highest[0], _anonymous()) - before) / 2**20


def _anonymous() -> int:
    """Give the bytes of this process's anonymous pages; 0 where it is not told."""
    if not _STATUS.is_file():
        return 0
    told = re.search(r"RssAnon:\s+(\d+) kB", _STATUS.read_text())
    return int(told.group(1)) * 1024 if told else 0


def _give_back() -> None:
    """Return freed memory to the system, so that work before is not counted as held."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
