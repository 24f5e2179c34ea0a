"""Processes that work side by side, one torch thread each."""

import multiprocessing
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import torch

from datainf.core.errors import StoreError


@contextmanager
def worker_pool(
    workers: int, prepare: Callable[..., None], *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """Open the processes; those that wait are dropped when the scope is left.

    Args:
        workers: How many.
        prepare: Called in each as it starts; can be imported by its name.
        given: Its arguments, as all that goes to a process such that pickle takes it.

    Yields:
        The pool; its results are to be awaited within the scope.

    Raises:
        StoreError: If a process is killed from outside.
    """
    # Fresh processes: torch's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(prepare, given),
    )
    try:
        yield pool
    except BrokenProcessPool as error:
        raise StoreError(
            "a process that trains was killed, perhaps for want of memory; what it had "
            "finished is kept. Run again, with fewer workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start(prepare: Callable[..., None], given: tuple[Any, ...]) -> None:
    warnings.simplefilter("ignore")  # the first process has told what there is to tell
    torch.set_num_threads(1)
    prepare(*given)
