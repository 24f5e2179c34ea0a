"""Other libraries, each in an environment of its own laid over the running one.

Their requirements never touch the environment that the project is developed in.
"""

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
        python = _environment(Path(name), rivals)
        sys.exit(subprocess.run([python, "-m", benchmark], check=False).returncode)


def _environment(folder: Path, rivals: Sequence[str]) -> Path:
    """Lay an environment with some packages over the running one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python, lower = folder / "bin" / "python", Path(sysconfig.get_path("purelib"))
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*pip, "install", "-qq", "--no-deps", *rivals], check=True)
    (folder / lower.relative_to(sys.prefix) / "lower.pth").write_text(
        f"import site; site.addsitedir({str(lower)!r})\n", encoding="utf-8"
    )
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
