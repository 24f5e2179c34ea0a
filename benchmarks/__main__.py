"""List and run the benchmarks.

A benchmark is a file `bench_*.py` of this folder with a `main()`; the first line of its
docstring is the claim that it measures. Each runs in a process of its own, so that one
benchmark's threads, caches and memory do not colour the next one's.

    python -m benchmarks             run all
    python -m benchmarks --list      list them
    python -m benchmarks capture     run those whose name holds one of the words
"""

import argparse
import ast
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def claim(file: Path) -> str:
    """Read the first docstring line of a benchmark, without importing it."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def main() -> int:
    """Run the benchmarks that were asked for.

    Returns:
        0 when all passed, 1 when one failed, 2 when no name fits.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("words", nargs="*", help="run those whose name holds a word")
    parser.add_argument("--list", action="store_true", help="list them and stop")
    arguments = parser.parse_args()

    files = {f.stem.removeprefix("bench_"): f for f in FOLDER.glob("bench_*.py")}
    words = arguments.words or [""]
    chosen = [name for name in sorted(files) if any(word in name for word in words)]
    if not chosen:
        known = ", ".join(sorted(files)) or "none yet"
        print(f"no benchmark is named like {words}; there are: {known}")
        return 2 if arguments.words else 0

    failed = []
    for name in chosen:
        print(f"{name}: {claim(files[name])}", flush=True)
        if arguments.list:
            continue
        start = time.perf_counter()
        run = [sys.executable, "-m", f"benchmarks.bench_{name}"]
        if subprocess.run(run, cwd=FOLDER.parent, check=False).returncode:
            failed.append(name)
        print(f"{name}: {time.perf_counter() - start:.0f} s\n", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
