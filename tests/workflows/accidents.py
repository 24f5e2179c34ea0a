"""Accidents at every step of writing: a process of its own, since it forks.

`python -m tests.workflows.accidents FOLDER` does four jobs that change what lies on the
disk: a store grows, leaves examples out, is replaced by one that reuses its rows, and
scores are saved over older ones. Each is struck at each of its steps (a new file, a
flush, a rename) by SIGKILL, and at every fifth by Ctrl-C and by a full disk, looked at,
and done again. It prints, as JSON, for each job and accident the number of steps and
what was wrong.
"""

import errno
import json
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datainf.core.errors import StoreError
from datainf.core.records import Provenance, Scores
from datainf.store.reader import open_store
from datainf.store.reuse import aside
from datainf.workflows.collect import collect
from tests.cases import TokenTask, decoder
from tests.store.killed import at_each_step, in_child, without_flushes
from tests.store.stores import files
from tests.workflows.collecting import ROWS

EDITED = {"input_ids": [9, 8, 7, 6], "labels": [-100, 8, 7, 6]}
CUT: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 40}
OLD, NEW = 1.0, 2.0
MODEL = decoder()  # one for all: a collection leaves it as it was
# Accident -> how a child ends that had it, and at every which step it strikes.
ACCIDENTS = {"kill": (-signal.SIGKILL, 1), "Ctrl-C": (3, 5), "full disk": (4, 5)}
Job = Callable[[Path], Any]


class NoNumbers(TokenTask):
    """A task to which the second row is no number."""

    def losses(self, model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        losses = super().losses(model, batch)
        bad = batch["input_ids"][:, 1] == ROWS[1]["input_ids"][1]
        return losses * torch.where(bad, torch.nan, 1.0)


def collected(path: Path, rows: Any, task: Any = None, **options: Any) -> None:
    """Collect what is missing, quietly."""
    collect(MODEL, rows, task or TokenTask(), out=path, **{**CUT, **options})


def saved(path: Path, value: float) -> None:
    """Save scores that are all the same number."""
    numbers = np.full((2, 3), value)
    Scores(numbers, ("g",), numbers[:, :1], numbers[:, :1], Provenance("dot")).save(
        path
    )


# Job -> what lies there before, and the job.
JOBS: dict[str, tuple[Job, Job]] = {
    "grow": (lambda p: collected(p, ROWS[:5]), lambda p: collected(p, ROWS)),
    "leave out": (
        lambda _: None,
        lambda p: collected(p, ROWS[:5], NoNumbers(), on_nonfinite="skip"),
    ),
    "replace": (
        lambda p: collected(p, ROWS[:4]),
        lambda p: collected(p, [EDITED, ROWS[2], ROWS[0]], reuse=p),
    ),
    "save scores": (lambda p: saved(p, OLD), lambda p: saved(p, NEW)),
}


def struck(job: Callable[[], Any], step: int, accident: str) -> None:
    """Do a job and have an accident at a step."""
    left = iter(range(step))

    def strike() -> None:
        if next(left, None) is None:
            if accident == "full disk":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            kind = signal.SIGKILL if accident == "kill" else signal.SIGINT
            os.kill(os.getpid(), kind)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    at_each_step(strike)
    try:
        job()
    except KeyboardInterrupt:
        os._exit(3)
    except StoreError as error:
        os._exit(4 if "o space left" in str(error) or "is full" in str(error) else 5)


def faults_of(path: Path, old: dict[str, bytes], new: dict[str, bytes]) -> list[str]:
    """Look at what an accident left: the old, the new, or nothing whole."""
    if path.name.startswith("save"):
        try:
            values = Scores.load(path).values
        except StoreError as error:
            known = "holds no scores" in str(error)
            return [] if known else [f"{path}: {error}"]
        return [] if np.ptp(values) == 0 else [f"{path}: half old, half new"]
    try:
        open_store(path)
    except StoreError as error:
        # Unfinished, or not there: then an old store lies whole beside it.
        begun = not old or "is unfinished" in str(error)
        return [] if begun or files(aside(path)) == old else [f"{path}: {error}"]
    found = {k: v for k, v in files(path).items() if not k.endswith(".partial")}
    return [] if found in (old, new) else [f"{path}: half old, half new"]


def main(folder: Path) -> None:
    """Do it all."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    without_flushes()
    said = {}
    for name, (before, job) in JOBS.items():
        start, right = folder / f"{name}-before", folder / f"{name}-right"
        before(start)
        if start.exists():
            shutil.copytree(start, right)
        job(right)
        old = files(start) if start.exists() else {}
        new = files(right)
        for accident, (end, stride) in ACCIDENTS.items():
            step, faults = 0, []
            while True:
                path = folder / f"{name}-{accident}-{step}"
                if start.exists():
                    shutil.copytree(start, path)
                child = in_child(partial(struck, partial(job, path), step, accident))
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                faults += faults_of(path, old, new)
                job(path)
                if files(path) != new or aside(path).exists():
                    faults.append(f"{path}: another end")
                if code == 0:
                    break
                if code != end:
                    faults.append(f"{path}: ended with {code}")
                shutil.rmtree(path)
                step += stride
            said[f"{name}, {accident}"] = {"steps": step, "faults": faults}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
