"""Collects real gradients and is killed while it does: a process of its own.

`python -m tests.workflows.killed_collect FOLDER` leaves in FOLDER `whole`, collected at
once, and `moments-0`, `moments-1` ..., killed at ten random moments in all and resumed
to the end. It prints, as JSON, how many kills hit, in how many runs, how many shards
stood after each, and what was found wrong on the way.
"""

import json
import os
import random
import signal
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import torch

from datainf.store.parsing import read_manifest
from datainf.workflows.collect import collect
from tests.cases import TokenTask, decoder
from tests.store.killed import faults_of, in_child, killed

KILLS = 10
ROWS = 61


def work(path: Path) -> None:
    """Collect what is missing, quietly."""
    warnings.simplefilter("ignore")
    generator = torch.Generator().manual_seed(5)
    lengths = torch.randint(3, 23, (ROWS,), generator=generator).tolist()
    rows = []
    for length in lengths:
        ids = torch.randint(4, 60, (length,), generator=generator).tolist()
        rows.append({"input_ids": ids, "labels": [-100, *ids[1:]]})
    collect(decoder(), rows, TokenTask(), out=path, shard_rows=2, batch_tokens=32)


def shards(path: Path) -> int:
    """Count the shards that stand."""
    if not (path / "manifest.json").exists():
        return 0
    return len(read_manifest(path).shards)


def main(folder: Path) -> None:
    """Do it all."""
    torch.set_num_threads(1)
    work(folder / "warm")  # what only a process's first run takes
    began = time.perf_counter()
    work(folder / "whole")
    spent = time.perf_counter() - began
    chance = random.Random(0)
    hits, runs, stood, faults = 0, 0, [], []
    while hits < KILLS:
        path = folder / f"moments-{runs}"
        child = in_child(partial(work, path))
        time.sleep(chance.uniform(0.1, 0.9) * spent)
        os.kill(child, signal.SIGKILL)
        if not killed(child):
            runs += 1  # it was done: the next kills hit another run
            continue
        hits += 1
        stood.append(shards(path))
        faults += faults_of(path)
    work(path)
    said = {"kills": hits, "runs": runs + 1, "stood": stood, "faults": faults}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
