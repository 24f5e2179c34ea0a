"""Other libraries, each in an environment of its own laid over the running one.

Their requirements never touch the environment that the project is developed in.
"""

import hashlib
import importlib.util
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def beside(
    rivals: Sequence[str], module: str, benchmark: str, compare: Callable[[], None]
) -> None:
    """Compare here if the rival is here, else in an environment that has it.

    Args:
        rivals: What is installed, with versions; without their requirements.
        module: The name that tells whether they are there.
        benchmark: The benchmark's own name, run again in that environment.
        compare: What it does there.
    """
    if importlib.util.find_spec(module) is not None:
        compare()
        return
    with tempfile.TemporaryDirectory() as name:
        python = environment(Path(name), rivals)
        sys.exit(subprocess.run([python, "-m", benchmark], check=False).returncode)


def environment(folder: Path, packages: Sequence[str]) -> Path:
    """Lay an environment with some packages over the running one.

    Args:
        folder: Holds environments; one with these packages is taken again.
        packages: What is installed, with versions; without their requirements.

    Returns:
        Its interpreter.

    Raises:
        RuntimeError: If they cannot be installed.
    """
    told = "\n".join([sys.prefix, sys.version, *packages])
    place = folder / hashlib.sha256(told.encode()).hexdigest()[:12]
    python, whole = place / "bin" / "python", place / "whole"
    if whole.is_file():
        return python
    make = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(place)]
    subprocess.run(make, check=True)
    lower = Path(sysconfig.get_path("purelib"))
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    made = subprocess.run(
        [*pip, "install", "-qq", "--no-deps", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        said = made.stderr.strip().splitlines() or [f"pip ended with {made.returncode}"]
        raise RuntimeError(f"cannot install {' '.join(packages)}: {said[-1]}")
    (place / lower.relative_to(sys.prefix) / "lower.pth").write_text(
        f"import site; site.addsitedir({str(lower)!r})\n", encoding="utf-8"
    )
    whole.touch()
    return python


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Correlate the ranks of each query.

    Args:
        a: `[Q, N]`.
        b: `[Q, N]`.

    Returns:
        One number a query.
    """
    left, right = (pd.DataFrame(table.T) for table in (a, b))
    return left.corrwith(right, method="spearman").to_numpy()
