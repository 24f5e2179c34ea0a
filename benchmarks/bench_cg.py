"""`cg` equals `exact` to 1e-5, and its memory does not grow with N.

A store on disk whose gradients have the falling spectrum of real ones (entry j of a row
is Gaussian times j^(−1/2), rows of very
different length). Each
line is a process of its own; memory is RssAnon at its highest above what the process
held before scoring. The floor is the `[Q, N]` scores.

    python -m benchmarks.bench_cg [STORE QUERIES]     the same on stores of your own
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import memory, sampled
from benchmarks.synthetic_store import write_store
from datainf.core.records import Scores
from datainf.store.reader import open_store
from datainf.workflows.score import score

ROWS, D, Q = (2000, 4000, 8000), 8192, 50


def write(path: Path, rows: int, seed: int) -> None:
    """Write a store of one block, shard by shard."""
    chance = torch.Generator().manual_seed(seed)
    fall = torch.arange(1, D + 1) ** -0.5

    def make(_number: int, count: int) -> dict[str, torch.Tensor]:
        size = torch.exp(torch.randn(count, 1, generator=chance))
        return {"w": torch.randn(count, D, generator=chance) * fall * size}

    write_store(path, {"w": D}, rows, make)


def measured(train: str, queries: str, method: str, out: str) -> None:
    """Score in this process and print what it took."""
    torch.set_num_threads(1)
    torch.linalg.eigh(torch.eye(64).double() @ torch.eye(64).double())
    sources = open_store(train), open_store(queries)
    with sampled(lambda: memory()[0], every=0.01) as held:
        start = time.perf_counter()
        scores = score(*sources, method=method)
        seconds = time.perf_counter() - start
    scores.save(out)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "mib": (max(held) - held[0]) / 2**20,
                "residual": float(np.nanmax(scores.residual)),
                "note": scores.provenance.notes[:1],
            }
        )
    )


def compare(train: Path, queries: Path, folder: Path) -> None:
    """Score by both methods and print one line."""
    found = {}
    for method in ("exact", "cg"):
        run = [sys.executable, "-m", "benchmarks.bench_cg", "--one"]
        run += [str(train), str(queries), method, str(folder / method)]
        done = subprocess.run(run, check=True, capture_output=True, text=True)
        found[method] = json.loads(done.stdout)
    exact, mine = (Scores.load(folder / method).values for method in found)
    largest = np.abs(exact).max(axis=1, keepdims=True)
    error = float((np.abs(mine - exact) / largest).max())
    shape = open_store(train)
    print(
        f"N={len(shape)} D={sum(shape.layout.sizes.values())} Q={len(exact)}  "
        + "  ".join(
            f"{method}: {each['seconds']:.1f} s, {each['mib']:.0f} MiB"
            for method, each in found.items()
        )
        + f"  difference {error:.1e}, residual {found['cg']['residual']:.1e}  "
        + " ".join(found["cg"]["note"]),
        flush=True,
    )
    assert error <= 1e-5, "cg and exact differ by more than 1e-5"


def main(arguments: list[str]) -> None:
    """Print a line for each number of rows, or for the stores that were given."""
    if arguments[:1] == ["--one"]:
        measured(*arguments[1:])
        return
    with tempfile.TemporaryDirectory(prefix="bench-cg-") as name:
        folder = Path(name)
        if arguments:
            compare(Path(arguments[0]), Path(arguments[1]), folder)
            return
        write(folder / "queries", Q, seed=0)
        for rows in ROWS:
            write(folder / f"train-{rows}", rows, seed=rows)
            compare(folder / f"train-{rows}", folder / "queries", folder)


if __name__ == "__main__":
    main(sys.argv[1:])
