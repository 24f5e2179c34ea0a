"""Finding the exact top 10 of a large store takes little more than reading it.

A store of one block of 4096 numbers in fp16, in the page cache, opened once and already
checked. Floor: adding up the same mapped bytes as 64-bit numbers, in the same run. The
answer is compared with the sorting of all float64 products. 1 000 000 rows are 8 GB:

    python -m benchmarks.bench_search --rows 1000000 --folder FOLDER
"""

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.measure import listed, seconds
from benchmarks.synthetic_store import write_store
from datainf.store.memory import InMemorySource
from datainf.store.reader import GradientStore
from datainf.workflows.search import search

SIZE, SHARD_ROWS, K, REPEATS = 4096, 8192, 10, 5


def written(folder: Path, rows: int) -> GradientStore:
    """Write the store: shards are one draw of numbers, its columns turned."""
    drawn = torch.randn(SHARD_ROWS, SIZE, generator=torch.Generator().manual_seed(0))
    drawn = drawn.half()
    return write_store(
        folder,
        {"w": SIZE},
        rows,
        lambda number, count: {"w": drawn[:count].roll(number, dims=1)},
        dtype="fp16",
        shard_rows=SHARD_ROWS,
    )


def sorted_in_float64(store: GradientStore, x: torch.Tensor) -> list[int]:
    """Give the best rows by every product."""
    parts = [part.gradients["w"].double() @ x.double() for part in store.rows(size=512)]
    order = torch.cat(parts).argsort(descending=True, stable=True)
    found: list[int] = order[:K].tolist()
    return found


def read(store: GradientStore) -> int:
    """Add up every byte of the rows."""
    parts = store.rows(size=SHARD_ROWS)
    return sum(int(p.gradients["w"].view(torch.int64).sum()) for p in parts)


def main() -> None:
    """Print medians of ratios taken in one run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_search")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument(
        "--folder", help="keeps the store; a temporary one if not given"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = written(Path(asked.folder or scratch) / "store", asked.rows)
        x = torch.randn(16, SIZE, generator=torch.Generator().manual_seed(1))
        size = 2 * SIZE * len(store) / 1e9
        threads = torch.get_num_threads()
        print(f"N={len(store)} d={SIZE} fp16, {size:.3g} GB, threads={threads}")
        read(store)
        for count in (1, 16):
            queries = InMemorySource({"w": x[:count]})
            floors, times = [], []
            for _ in range(REPEATS):
                floors.append(seconds(lambda: read(store)))
                work = partial(search, store, queries, k=K, method="dot")
                times.append(seconds(work))
            ratios = [a / b for a, b in zip(times, floors, strict=True)]
            print(
                f"Q={count}: median {statistics.median(times):.2f} s, all "
                f"{listed(times)}; floor {listed(floors)} s; ratio median "
                f"{statistics.median(ratios):.2f}, all {listed(ratios)}",
                flush=True,
            )
        found = search(store, InMemorySource({"w": x[:1]}), k=K, method="dot")
        # x is the query itself: proponents have the largest products.
        assert found["train"].tolist() == sorted_in_float64(store, x[0])
        print(f"the {K} rows are those of sorting every float64 product")


if __name__ == "__main__":
    main()
