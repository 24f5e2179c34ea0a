"""Seconds, lists of ratios and memory, taken the same way by every benchmark."""

import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_OFTEN = 0.01


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def listed(values: Iterable[float], digits: int = 2) -> str:
    """Write all values, in order of size."""
    return " ".join(f"{value:.{digits}f}" for value in sorted(values))


def anonymous() -> int:
    """Read this process's anonymous memory, in bytes; mapped pages do not count."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


class Peak:
    """Anonymous memory at its highest, sampled a hundred times a second.

    Attributes:
        before: Bytes held on entry.
        bytes: The most bytes held since.
    """

    def __enter__(self) -> Self:
        """Begin to watch."""
        self.before = self.bytes = anonymous()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(_OFTEN):
            self.bytes = max(self.bytes, anonymous())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look once more and stop."""
        self._done.set()
        self._watcher.join()
        self.bytes = max(self.bytes, anonymous())
