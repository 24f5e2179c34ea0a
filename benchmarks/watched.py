"""Run a command and watch it from outside: seconds and memory."""

import os
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
    """What a process took.

    Attributes:
        seconds: From its start to its end.
        anonymous: RssAnon at its highest, in bytes: memory that is its own, without
            mapped files. Sampled 20 times a second, of this process alone.
        resident: ru_maxrss, in bytes: with the pages of files that it has mapped, such
            as libraries and weights.
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
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    seen, said = [0], [b""]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_EVERY):
            seen.append(anonymous(process.pid))

    def listen() -> None:
        assert process.stderr is not None
        with process.stderr as pipe:
            said.append(pipe.read())

    threads = [threading.Thread(target=work) for work in (sample, listen)]
    for thread in threads:
        thread.start()
    # Not process.wait(): only wait4 tells the memory of this child alone.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    for thread in threads:
        thread.join()
    return Watched(
        seconds=seconds,
        anonymous=max(seen),
        resident=usage.ru_maxrss * 1024,
        error=_complaint(said[-1].decode(errors="replace"), process.returncode),
    )


def anonymous(pid: int) -> int:
    """Read the anonymous memory of a process, in bytes; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)  # a zombie has none
    return int(found[1]) * 1024 if found else 0


def _complaint(said: str, code: int) -> str | None:
    if code == 0:
        return None
    lines = [line.strip() for line in re.split(r"[\r\n]", said) if line.strip()]
    return lines[-1] if lines else f"it ended with {code}"
