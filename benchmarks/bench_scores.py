"""Scoring with DataInf stays near the cost of its matrix products.

Three products a block (queries × rows, weights × rows, result × rows) and a fourth for
the residual. Floor: four products of those shapes, timed in the same run. The loop is
the closed form written query by query and example by example, on a small part, scaled
up.
"""

import statistics
import time
from collections.abc import Callable

import torch

from datainf.estimators.table import build
from datainf.store.memory import InMemorySource

N, Q, BLOCKS, D = 1500, 200, 24, 3072
LOOP_N, LOOP_Q = 90, 2
REPEATS = 5


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def floor(rows: dict[str, torch.Tensor], queries: dict[str, torch.Tensor]) -> None:
    """Do only the matrix products."""
    for name, g in rows.items():
        weights = queries[name] @ g.T
        x = weights @ g
        products = x @ g.T
        products @ g


def loop(rows: dict[str, torch.Tensor], queries: dict[str, torch.Tensor]) -> None:
    """Write Eq. 4-5 as nested loops, everything computed again for each query."""
    for q in range(LOOP_Q):
        for name, whole in rows.items():
            g, v = whole[:LOOP_N], queries[name][q]
            damping = 0.1 * float((g**2).mean())
            x = torch.zeros_like(v)
            for row in g:
                c = torch.dot(row, v) / (damping + torch.dot(row, row))
                x += (v - c * row) / (LOOP_N * damping)
            for row in g:
                torch.dot(x, row)


def main() -> None:
    """Print medians of ratios taken in one run."""
    torch.manual_seed(0)
    rows = {f"block.{i}": torch.randn(N, D) for i in range(BLOCKS)}
    queries = {f"block.{i}": torch.randn(Q, D) for i in range(BLOCKS)}
    train, asked = InMemorySource(rows), InMemorySource(queries)
    method = build("datainf")

    def ours() -> None:
        method.score(method.fit(train), train, asked)

    floor(rows, queries)
    ours()
    ratios, rates = [], []
    for _ in range(REPEATS):
        base = seconds(lambda: floor(rows, queries))
        mine = seconds(ours)
        published = seconds(lambda: loop(rows, queries)) * (N * Q) / (LOOP_N * LOOP_Q)
        ratios.append(mine / base)
        rates.append(published / mine)
    print(f"N={N} Q={Q} blocks={BLOCKS} d={D} threads={torch.get_num_threads()}")
    print(f"ours / floor   median {statistics.median(ratios):.2f}  all {_list(ratios)}")
    print(f"loops / ours   median {statistics.median(rates):.0f}  all {_list(rates)}")


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in sorted(values))


if __name__ == "__main__":
    main()
