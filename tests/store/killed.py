"""Writes stores and is killed while it does: a process of its own, since it forks.

`python -m tests.store.killed FOLDER` leaves in FOLDER `whole`, written at once;
`moments`, killed at random moments; and `step-0`, `step-1` ..., each killed at that
step of its first run (a step is a new file, a flush or a rename). All were resumed to
the end. It prints, as JSON, how many kills hit and what was found wrong on the way.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from datainf.core.errors import StoreError
from datainf.core.options import CollectOptions
from datainf.store.parsing import read_manifest
from datainf.store.reader import open_store
from datainf.store.verify import verify
from tests.store.stores import gradients, losses, opened

ROWS = 23
OPTIONS = CollectOptions(batch_tokens=64, shard_rows=3, store_text=False)
KILLS = 10
SLOW = 0.002


def collect(path: Path) -> None:
    """Write what is missing; memory runs out once in each shard of odd number."""
    index = torch.arange(ROWS)
    table = pd.DataFrame({"index": index, "hash": ["0"] * ROWS, "tokens": [3] * ROWS})
    rows = gradients(rows=ROWS)
    with opened(path, options=OPTIONS, examples=table) as writer:
        for number, part, halved_at in writer.pending_shards():
            if number % 2 and not halved_at:
                writer.record_halving(number, number)
            at = slice(part.start, part.stop)
            mine = {name: tensor[at] for name, tensor in rows.items()}
            writer.write_shard(number, mine, losses(ROWS)[at], index[at])
        writer.finish()


def in_child(work: Callable[[], None]) -> int:
    """Start some work in a forked child."""
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    return child


def killed(child: int) -> bool:
    """Wait for a child and say whether it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def at_each_step(step: Callable[[], None]) -> None:
    """Call something in each new empty file, and before each flush and rename."""
    open_file = Path.open

    def opened_empty(path: Path, mode: str = "r", **how: Any) -> Any:
        file = open_file(path, mode, **how)
        if mode == "wb":
            step()
        return file

    setattr(Path, "open", opened_empty)  # noqa: B010 - a method
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def watched(*args: Any, real: Callable[..., Any] = real) -> Any:
            step()
            return real(*args)

        setattr(os, name, watched)


def without_flushes() -> None:
    """Leave flushes out: a kill, unlike a power cut, loses nothing the kernel has."""
    setattr(os, "fsync", lambda _: None)  # noqa: B010 - a module's function


def slowly(path: Path) -> None:
    """Write with a pause at each step."""
    at_each_step(lambda: time.sleep(SLOW))
    collect(path)


def until_step(path: Path, last: int) -> None:
    """Write and die at a step."""
    left = iter(range(last))

    def step() -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    at_each_step(step)
    collect(path)


def faults_of(path: Path) -> list[str]:
    """Look at what a killed run left: no partial shard may count or be opened."""
    found = []
    try:
        manifest = read_manifest(path)
    except StoreError:
        return [] if not (path / "manifest.json").exists() else [f"{path}: manifest"]
    if not manifest.complete:
        try:
            open_store(path)
            found.append(f"{path}: an unfinished store was opened")
        except StoreError:
            pass
    # Of a store that was cut off verify may say only that, and name what is left over.
    allowed = ("unfinished: ", "shard-", "manifest.json.partial")
    for fault in verify(path).faults:
        stray = fault.endswith(" does not belong to the store")
        if not fault.startswith("unfinished: ") and not (
            stray and fault.startswith(allowed)
        ):
            found.append(f"{path}: {fault}")
    return found


def main(folder: Path) -> None:
    """Do it all."""
    torch.set_num_threads(1)
    without_flushes()
    collect(folder / "whole")
    faults, moments, path = [], 0, folder / "moments"
    for seed in range(KILLS):
        child = in_child(partial(slowly, path))
        time.sleep(random.Random(seed).uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        moments += killed(child)
        faults += faults_of(path)
    collect(path)
    steps = 0
    while True:
        path = folder / f"step-{steps}"
        hit = killed(in_child(partial(until_step, path, steps)))
        faults += faults_of(path)
        collect(path)
        if not hit:
            break
        steps += 1
    sys.stdout.write(json.dumps({"moments": moments, "steps": steps, "faults": faults}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
