"""Two processes of one thread collect and score nearly twice as fast as one.

MiniLM with LoRA, one thread a process, over gloo on this machine; 1 and 2 processes in
turns. Beside the ratios, what the estimate of docs/jobs/many-machines.md is made of:
the share of the matmul rate that gradients and scores reach.
"""

import os
import random
import shutil
import socket
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.small_adapter import examples, task, trained
from datainf.core.launch import Launch
from datainf.integrations.ranks import Ranks, joined
from datainf.store.reader import open_store
from datainf.workflows.collect_together import collect_together
from datainf.workflows.score_together import score_together

ROWS, QUERIES, SHARD_ROWS, REPEATS = 600, 100, 25, 5


def together(ranks: int, work: Callable[[Ranks], object]) -> float:
    """Let forked processes work; give the seconds from their meeting to the end."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        os.environ.update(
            MASTER_ADDR="127.0.0.1", MASTER_PORT=str(one.getsockname()[1])
        )
    read, write = os.pipe()
    children = []
    for rank in range(ranks):
        child = os.fork()
        if not child:
            code = 1
            try:
                with joined(Launch(rank, ranks, rank, ranks)) as here:
                    here.told(None)
                    start = time.perf_counter()
                    work(here)
                    here.told(None)
                    if rank == 0:
                        os.write(write, str(time.perf_counter() - start).encode())
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * ranks
    found = float(os.read(read, 64))
    os.close(read)
    os.close(write)
    return found


def matmul_rate() -> float:
    """Measure one thread's floating-point operations a second in float32 products."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    spent = []
    for _ in range(9):
        start = time.perf_counter()
        a @ b
        spent.append(time.perf_counter() - start)
    return 2 * 1024**3 / min(spent)


def main() -> None:
    """Print ratios, and the shares of the matmul rate."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    what, draw = task(), random.Random(0)
    rows = examples(ROWS, draw)
    model = trained(what, rows)
    folder = Path(tempfile.mkdtemp())
    inner = [p for n, p in model.named_parameters() if "encoder.layer" in n]
    weights = sum(p.numel() for p in inner if not p.requires_grad)
    tokens = sum(what.length(row) for row in rows)

    def collecting(ranks: Ranks) -> None:
        out = folder / f"by-{ranks.count}"
        collect_together(model, rows, what, out=out, ranks=ranks, shard_rows=SHARD_ROWS)

    def scoring(ranks: Ranks) -> None:
        train = open_store(folder / "by-1", check=False)
        asked = open_store(folder / "queries", check=False)
        score_together(train, asked, ranks=ranks, agreement=False)

    collect_together(model, rows[:QUERIES], what, out=folder / "queries", ranks=Ranks())
    numbers = open_store(folder / "queries").layout.total
    spent: dict[str, list[float]] = {}
    rates = []
    for _ in range(REPEATS):
        rates.append(matmul_rate())
        for name, work in (("collect", collecting), ("score", scoring)):
            for ranks in (1, 2):
                if name == "collect":
                    shutil.rmtree(folder / f"by-{ranks}", ignore_errors=True)
                spent.setdefault(f"{name} {ranks}", []).append(together(ranks, work))
    shutil.rmtree(folder)
    rate = statistics.median(rates)
    print(f"rows={ROWS} tokens={tokens} weights={weights} D={numbers} Q={QUERIES}")
    print(f"matmul {rate / 1e9:.1f} GFLOP/s a thread")
    for name, products in (
        ("collect", 4 * weights * tokens),
        ("score", 8 * ROWS * QUERIES * numbers),
    ):
        one, two = spent[f"{name} 1"], spent[f"{name} 2"]
        gains = sorted(a / b for a, b in zip(one, two, strict=True))
        share = products / statistics.median(one) / rate
        print(
            f"{name:8} 1 process {statistics.median(one):.2f} s, "
            f"2: {statistics.median(two):.2f} s; "
            f"gain median {statistics.median(gains):.2f}  all "
            f"{' '.join(f'{gain:.2f}' for gain in gains)}; "
            f"{share:.2f} of the matmul rate"
        )


if __name__ == "__main__":
    main()
