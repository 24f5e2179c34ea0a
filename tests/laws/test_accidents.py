"""Killed, interrupted or on a full disk: the same command again ends the same.

`tests/workflows/accidents.py` strikes at each step of writing; the test below it fills
a real file system.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datainf.core.errors import StoreError
from datainf.core.records import Scores
from datainf.store.reader import open_store
from datainf.workflows.collect import collect
from datainf.workflows.score import score
from tests.cases import TokenTask, decoder
from tests.store.stores import files
from tests.workflows.collecting import ROWS

ROOT = Path(__file__).resolve().parents[2]
JOBS = ("grow", "leave out", "replace", "save scores")
MANY = [ROWS[i % len(ROWS)] for i in range(40)]
CUT: dict[str, Any] = {"shard_rows": 4, "batch_tokens": 40}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Let the accidents happen once; give what was seen of them."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.workflows.accidents",
            str(tmp_path_factory.mktemp("accidents")),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", *sys.path])},
        capture_output=True,
        check=True,
        timeout=600,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("accident", ["kill", "Ctrl-C", "full disk"])
@pytest.mark.parametrize("job", JOBS)
def test_after_an_accident_at_any_step_the_same_command_ends_the_same(
    seen, job, accident
):
    found = seen[f"{job}, {accident}"]
    assert found["faults"] == []
    assert found["steps"] >= 17


@pytest.fixture
def disk(tmp_path):
    """A small file system, and what makes it larger."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(*options: str) -> bool:
        command = ["mount", "-t", "tmpfs", *options, "none", str(place)]
        try:
            return not subprocess.run(
                command, capture_output=True, check=False
            ).returncode
        except FileNotFoundError:
            return False

    if not mount("-o", "size=32k"):
        pytest.skip("mounting a small file system needs root")
    yield place, lambda how: mount("-o", f"remount,{how}")
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_costs_nothing_but_the_rerun(tmp_path, disk):
    place, remount = disk
    model, out = decoder(), place / "train"
    whole = collect(model, MANY, TokenTask(), out=tmp_path / "whole", **CUT)
    right = score(whole, whole, method="datainf")
    for rows in (MANY[:30], MANY):  # collected, then appended to
        with pytest.raises(StoreError, match=r"^the disk is full: "):
            collect(model, rows, TokenTask(), out=out, **CUT)
        if rows is MANY:
            break
        assert remount("size=4m")
        collect(model, rows, TokenTask(), out=out, **CUT)
        fill(place)
    with pytest.raises(StoreError, match=r"^the scores could not be written"):
        right.save(place / "scores")
    (place / "filler").unlink()
    store = collect(model, MANY, TokenTask(), out=out, **CUT)
    assert files(out) == files(tmp_path / "whole")
    found = score(store, open_store(tmp_path / "whole"), method="datainf")
    found.save(place / "scores")
    np.testing.assert_array_equal(Scores.load(place / "scores").values, right.values)


def test_a_read_only_disk_is_refused_and_what_is_finished_on_it_is_used(disk):
    place, remount = disk
    remount("size=4m")
    model, out = decoder(), place / "naïve store ☃"
    store = collect(model, ROWS, TokenTask(), out=out, **CUT)
    before = files(out)
    assert remount("ro")
    assert collect(model, ROWS, TokenTask(), out=out, **CUT).path == out
    assert score(store, store, method="dot").values.shape == (len(ROWS), len(ROWS))
    for folder, rows in ((out, MANY[:9]), (place / "new", ROWS)):
        message = (
            f"{folder} cannot be written to (Read-only file system); choose another "
            "folder."
        )
        with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
            collect(model, rows, TokenTask(), out=folder, **CUT)
    assert files(out) == before


def fill(place: Path) -> None:
    """Leave no free page on a disk."""
    with (place / "filler").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"0" * 4096)
            except OSError:
                return
