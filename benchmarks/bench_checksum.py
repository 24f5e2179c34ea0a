"""Checking a store's bytes before the first read costs a part of one scoring or more.

A store of 512 MiB in the page cache, 8 queries. The ratio is (score of a store just
opened, checked) / (the same, unchecked), for a cheap and a costly method.
"""

import statistics
import tempfile
import time
from pathlib import Path

from datainf.store.reader import open_store
from datainf.workflows.score import score
from tests.store.stores import big_store

ROWS, SIZE, SHARD_ROWS, QUERIES, REPEATS = 2048, 2**16, 256, 8, 5


def seconds(train: Path, queries: Path, method: str, *, check: bool) -> float:
    """Time one scoring of stores that were just opened."""
    start = time.perf_counter()
    score(
        open_store(train, check=check), open_store(queries, check=check), method=method
    )
    return time.perf_counter() - start


def main() -> None:
    """Print medians of ratios taken in one run."""
    with tempfile.TemporaryDirectory() as name:
        train = big_store(
            Path(name) / "train", rows=ROWS, size=SIZE, shard_rows=SHARD_ROWS
        ).path
        queries = big_store(
            Path(name) / "queries", rows=QUERIES, size=SIZE, shard_rows=QUERIES
        ).path
        print(f"N={ROWS} d={SIZE} Q={QUERIES}")
        for method in ("dot", "datainf"):
            seconds(train, queries, method, check=False)
            ratios = sorted(
                seconds(train, queries, method, check=True)
                / seconds(train, queries, method, check=False)
                for _ in range(REPEATS)
            )
            shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
            print(
                f"{method}: checked / unchecked  median "
                f"{statistics.median(ratios):.2f}  all {shown}"
            )


if __name__ == "__main__":
    main()
