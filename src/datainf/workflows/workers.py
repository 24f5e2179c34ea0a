"""Processes that work side by side, one torch thread each.

They end with the scope, by whatever way it is left, and with the process that opened
it, even if that is killed; so what they make is to be on disk as soon as it is made.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

import torch

from datainf.core.errors import StoreError

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """Processes that take jobs."""

    _pool: ProcessPoolExecutor

    def submit(self, job: Callable[..., T], *given: Any) -> Future[T]:
        """Let a process do a job.

        Args:
            job: Called there; can be imported by its name.
            given: Its arguments, such that pickle takes them.

        Returns:
            Its result, or what it raised: as another exception with the same words
            where pickle does not bring it here.
        """
        return self._pool.submit(_done, job, given)


@contextmanager
def worker_pool(
    workers: int, prepare: Callable[..., None], *given: Any
) -> Iterator[Workers]:
    """Open the processes; left by an exception, the scope ends them at once.

    Args:
        workers: How many.
        prepare: Called in each as it starts; can be imported by its name. What it
            raises, each job raises.
        given: Its arguments, as all that goes to a process such that pickle takes it.

    Yields:
        The processes; their results are to be awaited within the scope.

    Raises:
        StoreError: If a process is killed from outside.
    """
    others = multiprocessing.active_children()
    # Fresh processes: torch's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(pickle.dumps((prepare, given)),),
    )
    try:
        yield Workers(pool)
    except BaseException as error:
        # Nobody waits for their results any more, and that may take an hour.
        for process in multiprocessing.active_children():
            if process not in others:
                process.terminate()
        if not isinstance(error, BrokenProcessPool):
            raise
        raise StoreError(
            "a worker was killed, perhaps for want of memory; what it had "
            "finished is kept. Run again, with fewer workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_failed: list[Exception] = []
"""In a worker: why it could not be prepared."""


def _start(packed: bytes) -> None:
    """Make a process a worker."""
    Thread(target=_end_with_the_first, daemon=True).start()
    # Ctrl-C comes to all processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The first process has told what there is to tell.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    try:
        # Not unpacked before, since that imports what may warn or fail.
        prepare, given = pickle.loads(packed)
        prepare(*given)
    except Exception as error:  # noqa: BLE001 - whatever it is, the jobs raise it
        _failed.append(error)


def _end_with_the_first() -> None:
    """End this process when the one that started it has ended, however it did."""
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os._exit(1)


def _done(job: Callable[..., T], given: tuple[Any, ...]) -> T:
    """Do a job; what it raises can be pickled."""
    try:
        if _failed:
            raise _failed[0]
        return job(*given)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001 - its own pickling may fail in any way
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise
