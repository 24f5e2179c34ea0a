"""The cost model: its counts, its budgets, and words for amounts."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.estimators import cost as module
from datainf.estimators.cost import (
    WORK,
    Cost,
    Machine,
    Shape,
    available_bytes,
    bytes_of,
    cost,
    machine,
)


@pytest.fixture(autouse=True)
def _steady(monkeypatch):
    monkeypatch.setattr(module, "machine", lambda *_: Machine(1e9, 5e8, 1e9))


def test_the_counts_are_those_of_the_products():
    shape = Shape(7, 7, 3, (5,))
    assert WORK["scaled-dot"](shape, 5).flops == 2 * 7 * 3 * 5
    assert WORK["datainf"](shape, 5).flops == 8 * 7 * 3 * 5
    small = WORK["exact"](shape, 5)  # d×d
    expected = 2 * 7 * 25 + 125 / 3 + 4 * 25 * 3 + 2 * 7 * 3 * 5
    assert small.flops == 0
    assert small.wide_flops == pytest.approx(expected)
    large = WORK["exact"](shape, 11)  # N×N
    expected = 2 * 49 * 11 + 343 / 3 + 8 * 7 * 3 * 11 + 2 * 49 * 3
    assert large.wide_flops == pytest.approx(expected)
    assert WORK["cg"](shape, 11).numbers == 5 * 7 * 11  # sketched whole: two steps


@pytest.mark.parametrize("method", WORK)
def test_costs_grow_with_rows_queries_and_groups(method):
    base = cost(method, Shape(2000, 2000, 50, (3000,)))
    for larger in (
        Shape(4000, 4000, 50, (3000,)),
        Shape(2000, 2000, 100, (3000,)),
        Shape(2000, 2000, 50, (3000, 3000)),
        Shape(2000, 2000, 50, (3000,), own=True),
        Shape(2000, 3000, 50, (3000,), shared=False),
    ):
        assert cost(method, larger).seconds > base.seconds
    one = cost(method, Shape(2000, 2000, 50, (3000, 3000)))
    assert one.bytes == base.bytes  # a group at a time


def test_the_more_exact_method_costs_more_where_rows_are_many():
    shape = Shape(20_000, 20_000, 20, (200_000,))
    found = [cost(method, shape).seconds for method in WORK]
    assert found == sorted(found, reverse=True)
    assert cost("exact", shape).bytes > 2 * 8 * 20_000**2
    assert cost("cg", shape).bytes < 8 * 20_000**2


def test_float64_gradients_take_longer():
    shape = Shape(200, 200, 5, (300,))
    assert cost("datainf", shape, wide=True).seconds > cost("datainf", shape).seconds


def test_the_machine_is_measured_once():
    found = machine("cpu", 1)
    assert machine("cpu", 1) is found
    assert min(found.flops, found.wide_flops, found.numbers) > 1e6


def test_a_cost_reads_well():
    assert str(Cost(2.123, 2**29)) == "about 2.1 s and 0.5 GiB"
    assert str(Cost(1e-7, 2**30)) == "about 0.1 s and 1 GiB"


def test_free_memory_is_some():
    assert 2**20 < available_bytes() < 2**50


@pytest.mark.parametrize("container", ["none", "limited", "unlimited"])
@pytest.mark.parametrize("linux", [True, False])
def test_free_memory_is_read_from_the_system(monkeypatch, linux, container):
    files = {}
    if linux:
        files["/proc/meminfo"] = "MemTotal: 9 kB\nMemAvailable:       6 kB\n"
    if container != "none":
        limit = "5120\n" if container == "limited" else "max\n"
        files["/sys/fs/cgroup/memory.max"] = limit
        files["/sys/fs/cgroup/memory.current"] = "1024\n"

    class Fake:
        def __init__(self, path):
            self.path = path

        def read_text(self, encoding):
            if self.path not in files:
                raise FileNotFoundError(self.path, encoding)
            return files[self.path]

    monkeypatch.setattr(module, "Path", Fake)
    monkeypatch.setattr("os.sysconf", lambda _: 128)
    free = 6144 if linux else 128 * 128 // 2
    assert available_bytes() == (4096 if container == "limited" else free)


@pytest.mark.parametrize(
    ("given", "amount"),
    [(7, 7), ("7", 7), ("2GiB", 2**31), ("1.5 KB", 1500), ("3 MiB", 3 * 2**20)],
)
def test_amounts_of_memory_are_read(given, amount):
    assert bytes_of(given, "max_memory") == amount


@pytest.mark.parametrize("given", ["two", "2 GiX", 0, -1, True, "1iB", None])
def test_what_is_no_amount_of_memory_is_refused(given):
    message = (
        f"max_memory must be a number of bytes or a text such as '2GiB', got {given!r}."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        bytes_of(given, "max_memory")
