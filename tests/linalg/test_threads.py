"""Threads whose operations use no others."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from datainf.linalg.threads import lone_threads


def used(_=None):
    return torch.get_num_threads()


@pytest.fixture(params=[1, 3])
def count(request):
    before = used()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_their_operations_use_one_thread_and_those_of_others_as_many_as_before(count):
    with lone_threads() as threads:
        assert set(threads.map(used, range(7))) == {1}
        assert used() == count
    assert used() == count


def test_threads_that_come_later_use_as_many_as_before_even_after_an_error(count):
    with pytest.raises(ZeroDivisionError), lone_threads() as threads:
        list(threads.map(lambda number: 1 / number, [0]))
    with ThreadPoolExecutor(1) as later:
        assert later.submit(used).result() == count
