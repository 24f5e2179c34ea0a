"""Run a command and watch it from outside: seconds and memory."""

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import memory, sampled

_EVERY = 0.05


@dataclass(frozen=True)
class Watched:
    """What a process took; its memory is that of this process alone.

    Attributes:
        seconds: From its start to its end.
        anonymous: RssAnon at its highest, in bytes: memory that is its own, without
            mapped files. Sampled 20 times a second.
        resident: VmHWM, in bytes, the kernel's own high-water mark: with the pages of
            files that it has mapped, such as libraries and weights. (ru_maxrss is the
            same, but begins at what the process that started it held.)
        error: The last line that it complained by; None when it ended well.
    """

    seconds: float
    anonymous: int
    resident: int
    error: str | None


def watch(command: Sequence[str | Path], environment: Mapping[str, str]) -> Watched:
    """Run a command to its end.

    Args:
        command: The program and its words.
        environment: Its environment variables.

    Returns:
        What it took.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with sampled(lambda: memory(process.pid), every=_EVERY) as seen:
        _, said = process.communicate()
        seconds = time.perf_counter() - start
    return Watched(
        seconds=seconds,
        anonymous=max(anonymous for anonymous, _ in seen),
        resident=max(resident for _, resident in seen),
        error=_complaint(said.decode(errors="replace"), process.returncode),
    )


def _complaint(said: str, code: int) -> str | None:
    if code == 0:
        return None
    lines = [line.strip() for line in re.split(r"[\r\n]", said) if line.strip()]
    return lines[-1] if lines else f"it ended with {code}"
