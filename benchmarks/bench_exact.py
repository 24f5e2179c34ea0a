"""`exact` takes the smaller side; the published code an eigendecomposition of d×d.

One block, one query gradient (the mean over the validation rows, as published), N =
4500. Published: the sum of outer products, one row at a time, and a general
eigendecomposition, both in float32; here in float64. The loop over rows is timed on a
part and scaled up, the eigendecomposition whole. At r = 8 on RoBERTa-large (d = 8192),
where the published run took over twelve hours, only ours is timed, and all 48 blocks
with `--whole`.
"""

import argparse
import statistics
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import listed, seconds
from datainf.estimators.table import build
from datainf.store.memory import InMemorySource

N, PUBLISHED, RANK_8, WHOLE = 4500, 2048, 8192, 48
PART, REPEATS = 45, 5


def outer_products(g: Tensor) -> Tensor:
    """Add up ggᵀ over the rows, one after the other."""
    total = torch.zeros(g.shape[1], g.shape[1])
    for row in g:
        total += torch.outer(row, row)
    return total


def solve(total: Tensor, v: Tensor, damping: float) -> Tensor:
    """Apply (G + λI)⁻¹ through a general eigendecomposition."""
    values, vectors = torch.linalg.eig(total)
    real, basis = values.real, vectors.real
    found: Tensor = (v @ basis / (damping + real / N)) @ basis.T
    return found


def drawn(size: int) -> tuple[Tensor, Tensor]:
    """Make rows of a falling spectrum, and one query."""
    torch.manual_seed(0)
    fall = torch.arange(1, size + 1) ** -0.5
    return torch.randn(N, size) * fall, torch.randn(1, size) * fall


def ours(g: Tensor, v: Tensor) -> Tensor:
    """Score every row."""
    train, method = InMemorySource({"w": g}), build("exact")
    found = method.score(method.fit(train), train, InMemorySource({"w": v}))
    return torch.as_tensor(found.values)


def main() -> None:
    """Print medians of ratios taken in one run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_exact")
    parser.add_argument("--whole", action="store_true", help="all blocks at r = 8")
    whole = parser.parse_args().whole
    g, v = drawn(PUBLISHED)
    damping = 0.1 * float(g.square().mean())
    total = g.T @ g
    mine = ours(g, v)
    theirs = -(solve(total, v, damping) @ g.T)
    gap = float((mine - theirs).abs().max() / mine.abs().max())
    print(f"N={N} d={PUBLISHED} threads={torch.get_num_threads()}")
    print(f"largest difference {gap:.1e} of the largest score")
    times, rates = [], []
    for _ in range(REPEATS):
        loop = seconds(partial(outer_products, g[:PART])) * N / PART
        published = loop + seconds(partial(solve, total, v, damping))
        spent = seconds(partial(ours, g, v))
        times.append(spent)
        rates.append(published / spent)
    print(
        f"ours {statistics.median(times):.2f} s; published / ours  median "
        f"{statistics.median(rates):.0f}  all {listed(rates, 0)}",
        flush=True,
    )
    g, v = drawn(RANK_8)
    times = [seconds(partial(ours, g, v)) for _ in range(REPEATS)]
    print(f"d={RANK_8}: {statistics.median(times):.1f} s a block, all {listed(times)}")
    if whole:
        spent = sum(seconds(partial(ours, g, v)) for _ in range(WHOLE))
        print(f"{WHOLE} blocks of d={RANK_8}: {spent / 60:.1f} min")


if __name__ == "__main__":
    main()
