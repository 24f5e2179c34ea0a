"""Break a copy of this repository once for each gate, and see the gate fail.

A gate that was never seen red proves nothing. For each line of `BREAKS` this script
writes one fault into a copy, runs the gate's command there, checks that it fails for
that fault, takes the fault away, and checks that the command passes without it.

    make gates                     all of them, some minutes
    make gates ONLY="layers"       those whose name holds a word
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

FORMAT = "ruff format --check --no-cache ."
LINT = "ruff check --no-cache ."
LAYERS = "lint-imports --no-logo --no-cache"
CHANGELOG = "python scripts/check_changelog.py"
TYPES = "mypy"
DOCS = "mkdocs build --strict"
SHAPE = "python -m pytest -q tests/test_architecture.py"
FAULT = "python -m pytest -q tests/test_fault.py"
DOCTEST = "python -m pytest -q src/datainf/core"
# A short run in place of the whole suite: the doctests of `core`.
MEASURE = (
    "python -m pytest -q tests/test_architecture.py src/datainf/core "
    "--cov --cov-report= --cov-fail-under=0"
)
OVERALL = f"{MEASURE}; coverage report"
STRICT = (
    f"{MEASURE}; coverage report --fail-under=100 --include='src/datainf/core/fault*'"
)

_SHAPED = '''"""A fault.

>>> import torch
>>> fault(torch.ones(3), torch.ones(5))
"""

from jaxtyping import Float
from torch import Tensor


def fault(x: Float[Tensor, " N"], y: Float[Tensor, " N"]) -> None:
    """Do nothing."""
'''
_UNREAD = '''"""A fault."""

import pytest


@pytest.mark.parametrize("size", [1, 2])
def test_fault(size: int) -> None:
    assert True
'''


@dataclass(frozen=True)
class Break:
    """One fault.

    Attributes:
        name: What the gate stands for.
        command: The gate.
        file: Where the fault goes; a file that is not there is made.
        text: What is appended, or written over `replaces`.
        shows: What the gate must print.
        replaces: Text to write over; empty appends.
        clean: Whether the command is green without the fault.
    """

    name: str
    command: str
    file: str
    text: str
    shows: str
    replaces: str = ""
    clean: bool = True


def contract(name: str) -> str:
    return f"{name} BROKEN"


BREAKS = (
    Break("format", FORMAT, "src/datainf/core/__init__.py", "x  =  1\n", "reformatted"),
    Break(
        "lint: print", LINT, "src/datainf/core/fault.py", "print(1)\n", "`print` found"
    ),
    Break(
        "lint: no docstring",
        LINT,
        "src/datainf/core/fault.py",
        "x = 1\n",
        "Missing docstring",
    ),
    Break(
        "lint: assert",
        LINT,
        "src/datainf/core/fault.py",
        "assert 1\n",
        "Use of `assert`",
    ),
    Break(
        "lint: undocumented error",
        LINT,
        "src/datainf/core/fault.py",
        '"""A."""\n\n\ndef f(x: int) -> int:\n    """Do.\n\n    Returns:\n        It.\n'
        '    """\n    raise ValueError(x)\n',
        "missing from docstring",
    ),
    Break(
        "layers: sibling import",
        LAYERS,
        "src/datainf/capture/__init__.py",
        "import datainf.estimators\n",
        contract("Layers: imports point down; siblings do not know each other"),
    ),
    Break(
        "layers: upward import",
        LAYERS,
        "src/datainf/core/__init__.py",
        "import datainf.cli\n",
        contract("Layers: imports point down; siblings do not know each other"),
    ),
    Break(
        "layers: unplaced folder",
        LAYERS,
        "src/datainf/extra/__init__.py",
        '"""A fault."""\n',
        "datainf.extra",
    ),
    Break(
        "layers: indirect torch in evaluation",
        LAYERS,
        "src/datainf/evaluation/__init__.py",
        "import datainf.linalg.rank_one\n",
        contract("Metrics and reports need no torch"),
    ),
    Break(
        "layers: model library below the edge",
        LAYERS,
        "src/datainf/linalg/__init__.py",
        "import transformers\n",
        contract("Model libraries only at the edge"),
    ),
    Break(
        "layers: model library above the edge",
        LAYERS,
        "src/datainf/workflows/__init__.py",
        "import peft\n",
        contract("Upper layers reach model libraries through integrations"),
    ),
    Break(
        "layers: one estimator imports another",
        LAYERS,
        "src/datainf/estimators/dot.py",
        "import datainf.estimators.cosine\n",
        contract("Estimators do not import each other"),
    ),
    Break(
        "changelog",
        CHANGELOG,
        "CHANGELOG.md",
        "## [9.9.9]",
        "__about__.py says",
        replaces="## [0.1.0]",
    ),
    Break(
        "types: package",
        TYPES,
        "src/datainf/core/__init__.py",
        'fault: int = "text"\n',
        "[assignment]",
    ),
    Break(
        "types: tests",
        TYPES,
        "tests/test_fault.py",
        'fault: int = "text"\n',
        "[assignment]",
    ),
    Break(
        "types: ignore without need",
        TYPES,
        "src/datainf/core/__init__.py",
        "fault = 1  # type: ignore[assignment]\n",
        "[unused-ignore]",
    ),
    Break("docs: dead link", DOCS, "docs/index.md", "\n[x](none.md)\n", "none.md"),
    Break(
        "tests: warnings are errors",
        FAULT,
        "tests/test_fault.py",
        'import warnings\n\n\ndef test_fault():\n    warnings.warn("seen")\n',
        "UserWarning: seen",
        clean=False,
    ),
    Break(
        "tests: shapes",
        DOCTEST,
        "src/datainf/core/fault.py",
        _SHAPED,
        "TypeCheckError",
    ),
    Break(
        "tests: unknown marker",
        FAULT,
        "tests/test_fault.py",
        "import pytest\n\n\n@pytest.mark.typo\ndef test_fault():\n    pass\n",
        "'typo' not found in `markers`",
        clean=False,
    ),
    Break(
        "tests: doctest",
        DOCTEST,
        "src/datainf/core/fault.py",
        '"""A fault.\n\n>>> 1 + 1\n3\n"""\n',
        "Expected:",
    ),
    Break(
        "shape: source without its test",
        SHAPE,
        "src/datainf/core/fault.py",
        '"""A fault."""\n\nx = 1\n',
        "src/datainf/core/fault.py needs tests/core/test_fault.py",
    ),
    Break(
        "shape: long file",
        SHAPE,
        "tests/fault.py",
        '"""A fault."""\n' + "\n" * 400,
        "{'tests/fault.py': 401} == {}",
    ),
    Break(
        "shape: utils.py",
        SHAPE,
        "src/datainf/core/utils.py",
        '"""A fault."""\n',
        "test_no_file_has_a_name_that_says_nothing",
    ),
    Break(
        "shape: undeclared library",
        SHAPE,
        "src/datainf/core/__init__.py",
        "import scipy\n",
        "src/datainf/core/__init__.py: scipy",
    ),
    Break(
        "shape: parameter never read",
        SHAPE,
        "tests/test_fault.py",
        _UNREAD,
        "{'test_fault': {'size'}} == {}",
    ),
    Break(
        "coverage: overall",
        OVERALL,
        "src/datainf/core/__init__.py",
        "",
        "is less than fail-under=95",
        clean=False,
    ),
    Break(
        "coverage: a layer at 100 %",
        STRICT,
        "src/datainf/core/fault_.py",
        '"""A fault."""\n\n\ndef fault() -> None:\n    fault()\n',
        "is less than fail-under=100",
        clean=False,
    ),
)


def run(command: str, folder: Path) -> tuple[int, str]:
    """Run a gate in the copy, with the copy's package first on the path."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_MKDOCS_2_WARNING": "1",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def see(fault: Break, folder: Path) -> tuple[bool, str]:
    """Write one fault, run its gate, and take the fault away.

    Returns:
        Whether the gate failed for this fault, and the line that says so.
    """
    file = folder / fault.file
    before = file.read_text(encoding="utf-8") if file.exists() else None
    fresh = not file.parent.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    if fault.replaces:
        text = (before or "").replace(fault.replaces, fault.text)
    else:
        text = (before or "") + fault.text
    file.write_text(text, encoding="utf-8")
    try:
        code, output = run(fault.command, folder)
    finally:
        if before is not None:
            file.write_text(before, encoding="utf-8")
        else:
            file.unlink()
        if fresh:
            shutil.rmtree(file.parent)
    lines = [line.strip() for line in output.splitlines() if fault.shows in line]
    if code and lines:
        return True, lines[0]
    return False, f"exit code {code}, expected {fault.shows!r} in:\n{output[-2000:]}"


def main() -> int:
    """Break a copy in the chosen ways.

    Returns:
        0 when every gate failed for its fault and passed without it.
    """
    words = sys.argv[1:] or [""]
    chosen = [b for b in BREAKS if any(word in b.name for word in words)]
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "datainf"
        ignored = shutil.ignore_patterns(".*", "__pycache__", "site", "runs", "dist")
        shutil.copytree(ROOT, folder, ignore=ignored)
        shutil.copy(ROOT / ".gitignore", folder)
        for command in dict.fromkeys(b.command for b in chosen if b.clean):
            code, output = run(command, folder)
            if code:
                bad += 1
                print(f"NOT GREEN without a fault: {command}\n{output[-2000:]}\n")
        for fault in chosen:
            red, line = see(fault, folder)
            bad += not red
            print(f"{'red' if red else 'NOT RED'}: {fault.name}: {line}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
