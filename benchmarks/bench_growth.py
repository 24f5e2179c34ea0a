"""Scoring grows in proportion to N, Q and D, and its memory not with N.

`datainf` from stores on disk, each of N, Q and D times 1, 2, 4, 8 and 16 in turn, in a
process of its own. Exponent: the slope of log seconds by log size over the factor 16;
memory is RssAnon at its highest, above what the process held before. D grows by the
size of the blocks.

    python -m benchmarks.bench_growth --gigabytes 20 --folder FOLDER

instead scores one store of that size, in bytes of gradients.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import listed, memory, sampled, seconds
from benchmarks.synthetic_store import write_store
from datainf.store.reader import open_store
from datainf.workflows.score import score

BLOCKS, FACTORS, REPEATS = 16, (1, 2, 4, 8, 16), 5
BASE = {"N": 2000, "Q": 32, "D": 16 * 256}


def write(path: Path, rows: int, numbers: int, seed: int) -> None:
    """Write a store of rows of Gaussian numbers, the same in every shard, turned."""
    size, shard = numbers // BLOCKS, 1000
    chance = torch.Generator().manual_seed(seed)
    drawn = torch.randn(shard, size, generator=chance)
    sizes = {f"block.{i:02}": size for i in range(BLOCKS)}
    write_store(
        path,
        sizes,
        rows,
        lambda number, count: {
            name: drawn[:count].roll(number + i, dims=1) for i, name in enumerate(sizes)
        },
        shard_rows=shard,
    )


def measured(train: str, queries: str) -> None:
    """Score in this process and print what it took."""
    sources = open_store(train, check=False), open_store(queries, check=False)
    with sampled(lambda: memory()[0], every=0.01) as held:
        spent = seconds(lambda: score(*sources, method="datainf", agreement=False))
    print(json.dumps({"seconds": spent, "held": held[0], "peak": max(held)}))


def apart(train: Path, queries: Path) -> dict[str, float]:
    """Measure in a process of its own."""
    run = [sys.executable, "-m", "benchmarks.bench_growth", "--one"]
    run += [str(train), str(queries)]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def growth(letter: str, folder: Path) -> None:
    """Let one size grow and print the exponent."""
    times, above = defaultdict(list), defaultdict(list)
    for factor in FACTORS:
        sizes = BASE | {letter: BASE[letter] * factor}
        write(folder / f"train-{factor}", sizes["N"], sizes["D"], seed=0)
        write(folder / f"queries-{factor}", sizes["Q"], sizes["D"], seed=1)
    for _ in range(REPEATS):
        for factor in FACTORS:
            found = apart(folder / f"train-{factor}", folder / f"queries-{factor}")
            times[factor].append(found["seconds"])
            above[factor].append((found["peak"] - found["held"]) / 2**20)
    logs = np.log(FACTORS)
    slopes = [
        float(np.polyfit(logs, np.log([times[factor][i] for factor in FACTORS]), 1)[0])
        for i in range(REPEATS)
    ]
    print(
        f"{letter} from {BASE[letter]} to {FACTORS[-1] * BASE[letter]}: exponent "
        f"median {statistics.median(slopes):.3f}  all {listed(slopes, 3)}"
    )
    for what, table in (("seconds", times), ("MiB", above)):
        print(
            f"  {what}: "
            + ", ".join(
                f"{statistics.median(table[factor]):.3g}" for factor in FACTORS
            ),
            flush=True,
        )


def main() -> None:
    """Print exponents, or the memory of one large store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_growth")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--gigabytes", type=float)
    parser.add_argument("--folder", help="where stores are written; /tmp if not given")
    asked = parser.parse_args()
    if asked.one:
        measured(*asked.one)
        return
    print(f"{BASE} blocks={BLOCKS} threads={torch.get_num_threads()}")
    if asked.gigabytes is None:
        for letter in BASE:
            with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
                growth(letter, Path(scratch))
        return
    numbers = 65536
    rows = round(asked.gigabytes * 1e9 / (4 * numbers))
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        write(folder / "train", rows, numbers, seed=0)
        write(folder / "queries", BASE["Q"], numbers, seed=1)
        found = apart(folder / "train", folder / "queries")
    print(
        f"N={rows} D={numbers}, {4e-9 * rows * numbers:.1f} GB: "
        f"{found['seconds']:.0f} s, RssAnon {found['peak'] / 2**20:.0f} MiB at its "
        f"highest, {found['held'] / 2**20:.0f} MiB of them before scoring"
    )


if __name__ == "__main__":
    main()
