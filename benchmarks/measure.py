"""Seconds, lists of ratios and memory, taken the same way by every benchmark."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

_Value = TypeVar("_Value")


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def listed(values: Iterable[float], digits: int = 2) -> str:
    """Write all values, in order of size."""
    return " ".join(f"{value:.{digits}f}" for value in sorted(values))


def memory(process: int | str = "self") -> tuple[int, int]:
    """Read a process's memory from the kernel.

    Args:
        process: Its number; this one when not given.

    Returns:
        RssAnon and VmHWM in bytes: memory of its own, and the most that it has held
        with the pages of files that it has mapped. Zeros when it is gone.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    told = dict(re.findall(r"(\w+):\s+(\d+) kB", status))  # of a zombie, nothing
    return int(told.get("RssAnon", 0)) * 1024, int(told.get("VmHWM", 0)) * 1024


@contextmanager
def sampled(read: Callable[[], _Value], *, every: float) -> Iterator[list[_Value]]:
    """Read again and again while the body runs.

    Args:
        read: Gives a value.
        every: Seconds between two readings.

    Yields:
        The values: one from before, and once the body has ended one from after.
    """
    seen, ended = [read()], threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            seen.append(read())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()
        seen.append(read())
