"""Worker processes: prepared once, one thread each, and told when one is killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from datainf.core.errors import OptionError, StoreError
from datainf.workflows.workers import worker_pool
from tests.processes import ROOT

_known: list[int] = []
LONG = 60.0
PROGRAM = """
import sys
from datainf.workflows.workers import worker_pool
from tests.workflows.test_workers import prepare, sleep
if __name__ == "__main__":
    with worker_pool(1, prepare, 3, 5) as pool:
        pool.submit(sleep, sys.argv[1]).result()
"""


class TwoWordsError(Exception):
    """Can be pickled, and not be made again of what was pickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def prepare(first: int, second: int) -> None:
    _known.extend((first, second))


def refuse() -> None:
    raise OptionError("no such model.")


def look(third: int) -> tuple[list[int], int]:
    return [*_known, third], torch.get_num_threads()


def fail() -> None:
    raise TwoWordsError("out of", "luck")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(begun: str) -> None:
    Path(begun).touch()
    time.sleep(LONG)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does to every process


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + LONG
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.fixture(scope="module")
def seen():
    """What a process says of itself, its error, and the one when it is killed."""
    found: list[object] = []
    try:
        with worker_pool(1, prepare, 3, 5) as pool:
            found.append(pool.submit(look, 7).result())
            found.append(pool.submit(fail).exception())
            pool.submit(die).result()
    except StoreError as error:
        found.append(str(error))
    return found


def test_a_process_is_prepared_once_and_has_one_thread(seen):
    assert seen[0] == ([3, 5, 7], 1)
    assert _known == []


def test_what_cannot_be_pickled_is_raised_with_its_own_words(seen):
    assert repr(seen[1]) == "RuntimeError('TwoWordsError: out of luck')"


def test_a_process_that_is_killed_is_told(seen):
    assert seen[2:] == [
        "a worker was killed, perhaps for want of memory; what it had "
        "finished is kept. Run again, with fewer workers."
    ]


def test_what_preparing_raises_every_job_raises():
    with worker_pool(1, refuse) as pool:
        jobs = [pool.submit(look, 7) for _ in range(2)]
        assert [repr(job.exception()) for job in jobs] == [
            "OptionError('no such model.')"
        ] * 2


def interrupted(begun: Path) -> None:
    with worker_pool(1, prepare, 3, 5) as pool:
        assert pool.submit(interrupt).exception() is None
        pool.submit(sleep, str(begun))
        wait_for(begun)
        raise KeyboardInterrupt


def test_an_interrupt_waits_for_no_job(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "begun")
    assert time.time() - (tmp_path / "begun").stat().st_mtime < LONG / 2
    assert multiprocessing.active_children() == []


def test_processes_end_with_the_one_that_started_them_though_it_is_killed(tmp_path):
    program, begun = tmp_path / "program.py", tmp_path / "begun"
    program.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(program), str(begun)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    ) as first:
        wait_for(begun)
        first.kill()
        # Its end is read when the last process that could write has ended.
        first.communicate(timeout=LONG / 2)
