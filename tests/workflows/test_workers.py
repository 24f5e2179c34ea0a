"""Worker processes: prepared once, one thread each, and told when one is killed."""

import os
import signal

import pytest
import torch

from datainf.core.errors import StoreError
from datainf.workflows.workers import worker_pool

_known: list[int] = []


def prepare(first: int, second: int) -> None:
    _known.extend((first, second))


def look(third: int) -> tuple[list[int], int]:
    return [*_known, third], torch.get_num_threads()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def seen():
    """What a process says of itself, and the error when it is killed after that."""
    found: list[object] = []
    try:
        with worker_pool(1, prepare, 3, 5) as pool:
            found.append(pool.submit(look, 7).result())
            pool.submit(die).result()
    except StoreError as error:
        found.append(str(error))
    return found


def test_a_process_is_prepared_once_and_has_one_thread(seen):
    assert seen[0] == ([3, 5, 7], 1)
    assert _known == []


def test_a_process_that_is_killed_is_told(seen):
    assert seen[1:] == [
        "a process that trains was killed, perhaps for want of memory; what it had "
        "finished is kept. Run again, with fewer workers."
    ]
