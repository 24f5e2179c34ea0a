"""Build wheel and sdist, look into them, and install the wheel where nothing is.

python -m scripts.check_package [--look]     `--look` installs nothing: seconds

What is built goes to dist/. The install takes a virtual environment of its own, which
is removed afterwards, and minutes: torch comes with it.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "datainf"
MOST_BYTES = 10_000_000
IN_SDIST = {
    *("src", "docs", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE"),
    *("README.md", "pyproject.toml", "PKG-INFO", ".gitignore"),
}
HEAVY = ("torch", "transformers", "peft", "datasets", "pandas", "numpy")
"""What `import datainf` and `datainf --help` do not wait for."""


def main(arguments: list[str] | None = None) -> int:
    """Build, look, install; say what is wrong.

    Returns:
        The exit code: 0 where nothing is wrong.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--look", action="store_true", help="install nothing")
    given = parser.parse_args(arguments)
    wheel, sdist = build(ROOT / "dist")
    found = [*faults_of_wheel(wheel), *faults_of_sdist(sdist)]
    if not found and not given.look:
        found = faults_installed(wheel)
    for fault in found:
        print(f"fault: {fault}")
    return bool(found)


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and from it the wheel.

    Args:
        folder: Where they go.

    Returns:
        Wheel and sdist.
    """
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    version = _version()
    wheel = folder / f"datainf-{version}-py3-none-any.whl"
    sdist = folder / f"datainf-{version}.tar.gz"
    for file in (wheel, sdist):
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")
    return wheel, sdist


def faults_of_wheel(wheel: Path) -> list[str]:
    """Compare a wheel with the source tree and with pyproject.toml.

    Args:
        wheel: The file.

    Returns:
        What is wrong with it, a line each.
    """
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if not name.endswith("/")}
        inside = f"datainf-{_version()}.dist-info"
        metadata = opened.read(f"{inside}/METADATA").decode()
        entry = opened.read(f"{inside}/entry_points.txt").decode()
    package = {name for name in names if name.startswith("datainf/")}
    there = {f"datainf/{name}" for name in _files(SOURCE)}
    found = [f"{wheel.name} lacks {name}" for name in sorted(there - package)]
    found += [
        f"{wheel.name} holds {name}, which is no part of the package"
        for name in sorted(names - there)
        if not name.startswith(f"{inside}/")
    ]
    if f"{inside}/licenses/LICENSE" not in names:
        found.append(f"{wheel.name} lacks the licence")
    if "datainf = datainf.cli:main" not in entry:
        found.append(f"{wheel.name} has no command `datainf`")
    return [*found, *_too_large(wheel), *_faults_of_metadata(metadata)]


def faults_of_sdist(sdist: Path) -> list[str]:
    """Look for what has no place in an sdist, and for what must be there.

    Args:
        sdist: The file.

    Returns:
        What is wrong with it, a line each.
    """
    with tarfile.open(sdist) as opened:
        names = {member.name.partition("/")[2] for member in opened.getmembers()}
    tops = {name.partition("/")[0] for name in names} - {""}
    found = [f"{sdist.name} lacks {name}" for name in sorted(IN_SDIST - tops)]
    found += [
        f"{sdist.name} holds {name}, which nobody installs"
        for name in sorted(tops - IN_SDIST)
    ]
    return [*found, *_too_large(sdist)]


def faults_installed(wheel: Path) -> list[str]:
    """Install the wheel in a bare environment and use it in an empty folder.

    Args:
        wheel: The file.

    Returns:
        What is wrong, a line each.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run(sys.executable, "-m", "venv", home / "venv")
        python, command = (home / "venv/bin" / n for n in ("python", "datainf"))
        pip = (python, "-m", "pip", "install", "--quiet", "--no-cache-dir")
        pins = ROOT / "constraints.txt"
        (torch,) = (
            line for line in pins.read_text().splitlines() if line.startswith("torch==")
        )
        # First, so that no other package picks a build of its own.
        run(*pip, torch)
        run(*pip, "--constraint", pins, wheel)
        run(python, "-m", "pip", "check")
        found = []
        loads = f"import sys, datainf; print([m for m in {HEAVY} if m in sys.modules])"
        if (loaded := run(python, "-c", loads, at=home)) != "[]":
            found.append(f"`import datainf` loads {loaded}")
        for limit, words in (
            (0.3, (python, "-c", "import datainf")),
            (0.5, (command, "--help")),
        ):
            # The quickest of some: other work may run beside, and the first compiles.
            took = min(_seconds(words, home) for _ in range(5))
            said = f"`{' '.join([words[0].name, *words[1:]])}` took {took:.2f} s"
            print(said)
            if took > limit:
                found.append(f"{said}, and may take {limit} s")
        run(command, "methods", at=home)
        run(command, "demo", "--out", home / "demo", at=home)
        if not (home / "demo/report.html").is_file():
            found.append("`datainf demo` wrote no report")
        return found


def run(*command: object, at: Path = ROOT) -> str:
    """Run a command that must work.

    Args:
        *command: Its words.
        at: Where.

    Returns:
        What it wrote, without the last line break.

    Raises:
        SystemExit: If it fails, with all that it wrote.
    """
    words = [str(word) for word in command]
    ran = subprocess.run(words, cwd=at, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"`{' '.join(words)}` failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout.strip()


def _seconds(words: tuple[Any, ...], at: Path) -> float:
    begun = time.perf_counter()
    run(*words, at=at)
    return time.perf_counter() - begun


def _faults_of_metadata(text: str) -> list[str]:
    """Compare METADATA with pyproject.toml."""
    said = Parser().parsestr(text)
    project = _project()
    wanted: dict[str, Iterable[str]] = {
        "Name": [project["name"]],
        "Version": [_version()],
        "Summary": [project["description"]],
        "License-Expression": [project["license"]],
        "License-File": project["license-files"],
        "Requires-Python": [project["requires-python"]],
        "Provides-Extra": project["optional-dependencies"],
        "Classifier": project["classifiers"],
        "Description-Content-Type": ["text/markdown"],
    }
    return [
        f"METADATA: {key} is {sorted(said.get_all(key, []))}, not {sorted(values)}"
        for key, values in wanted.items()
        if sorted(said.get_all(key, [])) != sorted(values)
    ]


def _too_large(file: Path) -> list[str]:
    size = file.stat().st_size
    if size <= MOST_BYTES:
        return []
    return [f"{file.name} has {size / 1e6:.1f} MB, and may have {MOST_BYTES / 1e6:g}"]


def _files(folder: Path) -> set[str]:
    """Name the files of a source folder, without what running it leaves."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]


def _version() -> str:
    line = (SOURCE / "__about__.py").read_text(encoding="utf-8").splitlines()[-1]
    return line.split('"')[1]


if __name__ == "__main__":
    sys.exit(main())
