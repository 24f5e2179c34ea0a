"""Scoring with DataInf stays near the cost of its matrix products.

Three products a block (queries × rows, weights × rows, result × rows) and a fourth for
the residual. Floor: four products of those shapes, timed in the same run. The loops are
the closed form written query by query and example by example, as published, on a part
of rows and queries, scaled up by the number of pairs.

The second shape is that of the paper's 13B run (query and value of 40 layers of width
5120, LoRA r = 8: 160 blocks of 40960), with a tenth of its blocks.
"""

import statistics
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import listed, seconds
from datainf.estimators.table import build
from datainf.store.memory import InMemorySource

REPEATS = 5


@dataclass(frozen=True)
class Case:
    """Sizes of one comparison: the whole, and the part that the loops do."""

    rows: int
    queries: int
    blocks: int
    size: int
    loop_rows: int
    loop_queries: int


CASES = (
    Case(4500, 500, blocks=24, size=8192, loop_rows=90, loop_queries=2),
    Case(900, 100, blocks=16, size=40960, loop_rows=90, loop_queries=2),
)


def floor(rows: dict[str, Tensor], queries: dict[str, Tensor]) -> None:
    """Do only the matrix products."""
    for name, g in rows.items():
        weights = queries[name] @ g.T
        x = weights @ g
        products = x @ g.T
        products @ g


def loops(rows: dict[str, Tensor], queries: dict[str, Tensor], case: Case) -> None:
    """Write Eq. 4-5 as nested loops, everything computed again for each query."""
    n = case.loop_rows
    for q in range(case.loop_queries):
        for name, whole in rows.items():
            g, v = whole[:n], queries[name][q]
            damping = 0.1 * sum(float((row**2).mean()) for row in g) / n
            x = torch.zeros_like(v)
            for row in g:
                c = (row * v).sum() / (damping + (row**2).sum())
                x += (v - c * row) / (n * damping)
            for row in g:
                (x * row).sum()


def measure(case: Case) -> None:
    """Print medians of ratios taken in one run."""
    torch.manual_seed(0)
    names = [f"block.{i}" for i in range(case.blocks)]
    rows = {name: torch.randn(case.rows, case.size) for name in names}
    queries = {name: torch.randn(case.queries, case.size) for name in names}
    train, asked = InMemorySource(rows), InMemorySource(queries)
    method = build("datainf")

    def ours() -> None:
        method.score(method.fit(train), train, asked)

    floor(rows, queries)
    ours()
    pairs = case.rows * case.queries / (case.loop_rows * case.loop_queries)
    ratios, rates = [], []
    for _ in range(REPEATS):
        base = seconds(partial(floor, rows, queries))
        mine = seconds(ours)
        published = seconds(partial(loops, rows, queries, case)) * pairs
        ratios.append(mine / base)
        rates.append(published / mine)
    rate = 8 * case.rows * case.queries * case.blocks * case.size / base / 1e9
    print(
        f"N={case.rows} Q={case.queries} blocks={case.blocks} d={case.size} "
        f"threads={torch.get_num_threads()}, {mine:.1f} s; products at {rate:.0f} "
        "GFLOP/s"
    )
    print(
        f"ours / floor   median {statistics.median(ratios):.2f}  all {listed(ratios)}"
    )
    print(
        f"loops / ours   median {statistics.median(rates):.0f}  all {listed(rates, 0)}",
        flush=True,
    )


if __name__ == "__main__":
    for case in CASES:
        measure(case)
