"""The same job with this library and with each rival: time, memory, lines, agreement.

All pairs of N training rows and Q queries on the adapter of `small_adapter.py`, then
the top 10, by the scripts in `rivals/`. A script runs in a process of its own, in an
environment of its own laid over this one, and is watched from outside. Printed of each:

- seconds of the whole process, from start to end: median, least and most, runs;
- start-up: the same on one row and one query, from imports to the first gradient;
- RssAnon at its highest (memory of the process's own), and VmHWM, which counts mapped
  pages of libraries and weights too: the most of all runs;
- lines of the script that are neither blank, comment nor docstring;
- Spearman of each query's scores with ours by the same method, median and least, and
  how many of its top 10 are in our top 10.

Rounds: every line once, then every line again; one whose first run took longer than
`--patience` seconds runs once. A line that fails prints why instead of numbers. The
next rival is one script and one line of `rivals/__init__.py`.

    python -m benchmarks.bench_rivals --environments FOLDER --save FILE.json
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks import small_adapter
from benchmarks.rival import environment
from benchmarks.rivals import OURS, TABLE, Line
from benchmarks.rivals_page import Found, table
from benchmarks.watched import watch
from datainf.experiments.surroundings import surroundings

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def main() -> None:
    """Run the lines that were asked for, and print the table.

    Raises:
        SystemExit: If no line has such a name, or one of ours failed.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_rivals")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--patience", type=float, default=60, help="seconds")
    parser.add_argument("--only", nargs="+", default=[""], help="words of names")
    parser.add_argument("--environments", type=Path, help="keep those of rivals here")
    parser.add_argument("--save", type=Path, help="every run, as JSON")
    arguments = parser.parse_args()

    lines = chosen(arguments.only)
    if not lines:
        raise SystemExit(f"no line is named like {arguments.only}")
    about = surroundings()
    print(
        f"N={arguments.rows} Q={arguments.queries}; {about['machine']}; torch "
        f"{about['torch']}, transformers {about['transformers']}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        environments = arguments.environments or place / "environments"
        jobs = prepared(place, arguments.rows, arguments.queries)
        found = [Found(line) for line in lines]
        for number in range(arguments.repeats):
            for one in found:
                slow = bool(one.runs) and one.runs[0].seconds > arguments.patience
                if one.error is None and not slow:
                    run(one, jobs, environments.absolute())
            print(f"round {number + 1} of {arguments.repeats} ended", flush=True)
    check_shapes(found)
    print("\n".join(table(found)))
    if arguments.save is not None:
        record = {"rows": arguments.rows, "queries": arguments.queries, **about}
        everything = {**record, "lines": [told(one) for one in found]}
        arguments.save.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    if any(one.error for one in found if one.line in OURS.values()):
        raise SystemExit("one of our own lines failed")


def chosen(words: Sequence[str]) -> list[Line]:
    """Choose lines by words of their names.

    Args:
        words: A line is taken when its name holds one of them.

    Returns:
        The lines, each after the one of ours that it is compared with.
    """
    taken = [
        line
        for line in (*OURS.values(), *TABLE)
        if any(word in line.name for word in words)
    ]
    return list(dict.fromkeys([*(OURS[line.method] for line in taken), *taken]))


def prepared(place: Path, rows: int, queries: int) -> tuple[Path, Path]:
    """Save the job, and the same with its first row and query alone.

    Args:
        place: Where.
        rows: How many training rows.
        queries: How many queries.

    Returns:
        Their folders.
    """
    whole, first = place / "whole", place / "first"
    for folder in (whole, first):
        folder.mkdir()
    small_adapter.save(whole, rows, queries)
    for part in ("base", "adapter"):
        (first / part).symlink_to(whole / part)
    for part in ("train.jsonl", "queries.jsonl"):
        head, _, _ = (whole / part).read_text(encoding="utf-8").partition("\n")
        (first / part).write_text(head + "\n", encoding="utf-8")
    return whole, first


def run(one: Found, jobs: tuple[Path, Path], environments: Path) -> None:
    """Run a line once on the job and once on its first row, and keep what it took."""
    line = one.line
    try:
        python = (
            environment(environments, line.packages)
            if line.packages
            else sys.executable
        )
    except RuntimeError as error:
        one.error = str(error)
        return
    for folder, kept in zip(jobs, (one.runs, one.starts), strict=True):
        out = folder / f"{line.name}.npy"
        # Without -P a script would find the other scripts before the libraries.
        command = [python, "-P", line.path, folder, out, *line.words]
        seen = watch(command, as_users_have_it())
        if seen.error is not None:
            one.error = seen.error
            return
        kept.append(seen)
    one.scores = line.sign * np.load(jobs[0] / f"{line.name}.npy").astype(np.float64)
    if not np.isfinite(one.scores).all():
        one.error = f"{np.count_nonzero(~np.isfinite(one.scores))} scores are NaN"


def as_users_have_it() -> dict[str, str]:
    """Give the environment of a script: no hub, and modules compiled once.

    Installed rivals are compiled by pip; a checkout would be again at every start where
    PYTHONDONTWRITEBYTECODE is set.

    Returns:
        Names and values.
    """
    environment = {**os.environ, **QUIET}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def check_shapes(found: Sequence[Found]) -> None:
    """Note as an error the scores that have another shape than ours."""
    shapes = {one.line: one.scores.shape for one in found if one.scores is not None}
    for one in found:
        ours = shapes.get(OURS[one.line.method])
        if one.error is None and ours is not None and shapes[one.line] != ours:
            one.error = f"scores of shape {shapes[one.line]}, expected {ours}"


def told(one: Found) -> dict[str, object]:
    """Give a line with each of its runs, for a file."""
    return {
        "name": one.line.name,
        "method": one.line.method,
        "packages": one.line.packages,
        "runs": [asdict(seen) for seen in one.runs],
        "starts": [asdict(seen) for seen in one.starts],
        "error": one.error,
    }


if __name__ == "__main__":
    main()
