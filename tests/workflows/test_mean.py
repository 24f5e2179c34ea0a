"""MeanSource: the mean of the rows, and the laws of `core.source.GradientSource`."""

import math
import re

import pytest
import torch

from datainf.core.errors import OptionError
from datainf.core.source import GradientSource
from datainf.store.memory import InMemorySource
from datainf.workflows.mean import MeanSource
from tests.store.stores import LAYOUT, gradients, write_store

Q = 101
A, B = LAYOUT.names


def rows(dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(Q, size, generator=generator, dtype=torch.float64).to(dtype)
        for name, size in LAYOUT.sizes.items()
    }


def in_portions(source, size):
    """The same source, giving so many rows at a time."""

    class InPortions:
        layout = source.layout

        def __len__(self):
            return len(source)

        def rows(self, blocks=None, *, size=size):
            return source.rows(blocks, size=size)

    return InPortions()


@pytest.mark.parametrize("size", [1, 7, None])
def test_the_row_is_the_mean_of_the_rows_in_float64(size):
    source = in_portions(InMemorySource(rows(), LAYOUT), size)
    (part,) = MeanSource(source).rows()
    for name, given in rows().items():
        exact = [math.fsum(column) / Q for column in given.T.tolist()]
        assert part.gradients[name].dtype == torch.float64
        assert part.gradients[name].tolist() == [pytest.approx(exact, abs=1e-16)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_coarser_rows_are_summed_in_float64_and_given_in_float32(dtype):
    given = rows(dtype)
    (part,) = MeanSource(InMemorySource(given, LAYOUT)).rows()
    for name in LAYOUT.names:
        exact = given[name].double().mean(dim=0).float()
        assert part.gradients[name].dtype == torch.float32
        assert torch.equal(part.gradients[name][0], exact)


def test_a_large_row_does_not_swallow_the_small_ones():
    """In float32, 2²⁴ + 1 is 2²⁴."""
    large = torch.tensor([[2.0**24], [1.0], [1.0], [-(2.0**24)]])
    (part,) = MeanSource(InMemorySource({"w": large})).rows()
    assert part.gradients["w"].item() == 0.5


# --- the laws of a source -----------------------------------------------------------


@pytest.fixture
def mean():
    return MeanSource(InMemorySource(rows(), LAYOUT))


def test_it_is_a_gradient_source_of_one_row_with_the_layout_of_the_other(mean):
    assert isinstance(mean, GradientSource)
    assert mean.layout == LAYOUT
    assert len(mean) == 1


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("blocks", [None, (A,), (B, A), ()])
def test_the_row_depends_neither_on_size_nor_on_the_other_blocks(mean, size, blocks):
    (whole,) = mean.rows()
    (part,) = mean.rows(blocks, size=size)
    assert (part.start, len(part)) == (0, 1)
    assert list(part.gradients) == list(LAYOUT.names if blocks is None else blocks)
    for name in part.gradients:
        assert torch.equal(part.gradients[name], whole.gradients[name])
    assert torch.equal(part.squared_norms, whole.squared_norms)


def test_squared_norms_are_those_of_the_mean(mean):
    (part,) = mean.rows()
    assert part.squared_norms.dtype == torch.float64
    slow = [sum(float(x) ** 2 for x in part.gradients[name][0]) for name in (A, B)]
    assert part.squared_norms.tolist() == [pytest.approx(slow, rel=1e-12)]


def test_it_gives_the_same_every_time_and_reads_the_other_source_once():
    readings = []
    source = in_portions(InMemorySource(rows(), LAYOUT), 7)
    read = source.rows

    def watched(*arguments, **options):
        readings.append(1)
        return read(*arguments, **options)

    source.rows = watched
    mean = MeanSource(source)
    first, second = next(mean.rows()), next(mean.rows())
    assert torch.equal(first.gradients[A], second.gradients[A])
    assert len(readings) == 1


def test_an_unknown_block_and_a_size_below_one_are_refused(mean):
    message = "size must be at least 1, got 0."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        list(mean.rows(size=0))
    with pytest.raises(OptionError, match=r"^block 'w' is unknown: expected one of: "):
        list(mean.rows(["w"]))


def test_it_says_where_it_comes_from(tmp_path, mean):
    store = write_store(tmp_path / "store")
    stored = MeanSource(store)
    assert stored.identity == store.identity
    assert list(stored.examples["index"]) == ["mean of 7"]
    (part,) = stored.rows()
    for name, given in gradients().items():
        assert torch.equal(part.gradients[name][0], given.mean(dim=0))
    assert mean.identity is None
