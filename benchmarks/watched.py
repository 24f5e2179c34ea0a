"""Run a command and watch it from outside: seconds and memory."""

import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    seen = [(0, 0)]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_EVERY):
            seen.append(memory(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        _, said = process.communicate()
        seconds = time.perf_counter() - start
    finally:
        ended.set()
        sampler.join()
    return Watched(
        seconds=seconds,
        anonymous=max(anonymous for anonymous, _ in seen),
        resident=max(resident for _, resident in seen),
        error=_complaint(said.decode(errors="replace"), process.returncode),
    )


def memory(pid: int) -> tuple[int, int]:
    """Read RssAnon and VmHWM of a process, in bytes; zeros when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    told = dict(re.findall(r"(\w+):\s+(\d+) kB", status))  # of a zombie, nothing
    return int(told.get("RssAnon", 0)) * 1024, int(told.get("VmHWM", 0)) * 1024


def _complaint(said: str, code: int) -> str | None:
    if code == 0:
        return None
    lines = [line.strip() for line in re.split(r"[\r\n]", said) if line.strip()]
    return lines[-1] if lines else f"it ended with {code}"
