"""Threads that work apart: each on numbers of its own, from memory to the result.

Two threads that share one operation meet at its end, and may each find in the next one
what the other has written: where their cores lie far apart that costs more than the
arithmetic. Here each does a whole chain of operations by itself.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def lone_threads() -> Iterator[Executor]:
    """Start as many threads as an operation may use, whose operations use one each.

    Yields:
        What runs them; results come in the order asked for. Other threads keep their
        number of threads an operation.

    Examples:
        >>> with lone_threads() as threads:
        ...     set(threads.map(lambda _: torch.get_num_threads(), range(9)))
        {1}
    """
    count = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(
            count, initializer=torch.set_num_threads, initargs=(1,)
        ) as threads:
            yield threads
    finally:
        # What threads that are yet to come begin with.
        torch.set_num_threads(count)
