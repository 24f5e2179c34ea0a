"""Python processes of their own: for what forks, is killed, or gets a memory limit."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def python(*arguments: object, timeout: int) -> subprocess.CompletedProcess[str]:
    """Run Python with this repository's sources, as this process sees them.

    Args:
        arguments: As after `python`.
        timeout: Seconds.

    Returns:
        What it left: code, stdout, stderr.
    """
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
