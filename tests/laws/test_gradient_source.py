"""The laws of `core.source.GradientSource`, on every implementation."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datainf.core.errors import OptionError
from datainf.core.source import GradientSource
from datainf.core.store_dtype import StoreDtype
from datainf.store.memory import InMemorySource
from tests.store.stores import LAYOUT, N, gradients, rounds_to, write_store

A, B = LAYOUT.names


def on_disk(folder: Path) -> GradientSource:
    return write_store(folder / "store")


def on_disk_rounded(folder: Path) -> GradientSource:
    return write_store(folder / "store", "bf16")


def on_disk_in_bytes(folder: Path) -> GradientSource:
    return write_store(folder / "store", "int8")


def in_memory(_folder: Path) -> GradientSource:
    return InMemorySource(gradients(), LAYOUT)


SOURCES: list[Callable[[Path], GradientSource]] = [
    on_disk,
    on_disk_rounded,
    on_disk_in_bytes,
    in_memory,
]


@pytest.fixture(scope="module", params=SOURCES, ids=lambda make: make.__name__)
def source(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("source"))


def together(source: GradientSource, **how) -> dict[str, Tensor]:
    """All rows of a source, and their squared norms under the empty name."""
    parts = list(source.rows(**how))
    rows = {
        k: torch.cat([part.gradients[k] for part in parts]) for k in parts[0].gradients
    }
    return {**rows, "": torch.cat([part.squared_norms for part in parts])}


def test_it_is_a_gradient_source_with_a_layout_and_a_length(source):
    assert isinstance(source, GradientSource)
    assert source.layout == LAYOUT
    assert len(source) == N


@pytest.mark.parametrize("size", [None, 1, 2, 3, 5, 7, 100])
def test_rows_come_once_and_in_order_and_no_portion_is_larger_than_asked(source, size):
    at = 0
    for part in source.rows(size=size):
        assert part.start == at
        assert 1 <= len(part) <= (size or N)
        assert part.squared_norms.shape == (len(part), len(LAYOUT))
        for name, rows in part.gradients.items():
            assert rows.shape == (len(part), LAYOUT.sizes[name])
        at += len(part)
    assert at == N


def test_the_rows_are_those_that_were_given(source):
    found = together(source)
    for name, rows in gradients().items():
        kind = getattr(source, "dtype", StoreDtype.FP32)
        assert rounds_to(found[name], rows, kind)


def test_reading_again_gives_the_same_numbers(source):
    first, second = together(source), together(source)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("size", [None, 1, 2, 5])
@pytest.mark.parametrize("blocks", [(A,), (B,), (B, A), ()])
def test_rows_depend_neither_on_size_nor_on_the_other_blocks(source, size, blocks):
    whole, found = together(source), together(source, blocks=blocks, size=size)
    assert set(found) == {*blocks, ""}
    assert all(torch.equal(found[name], whole[name]) for name in found)


def test_squared_norms_are_those_of_the_rows_as_they_are_read(source):
    found = together(source)
    assert found[""].dtype == torch.float64
    for column, name in enumerate(LAYOUT.names):
        slow = [sum(float(x) ** 2 for x in row) for row in found[name]]
        assert found[""][:, column].tolist() == pytest.approx(slow, rel=1e-12)


def test_two_readings_at_once_do_not_disturb_each_other(source):
    for mine, theirs in zip(source.rows(size=2), source.rows(size=2), strict=True):
        assert mine.start == theirs.start
        assert torch.equal(mine.gradients[A], theirs.gradients[A])


def test_rows_need_no_gradient(source):
    assert not any(
        rows.requires_grad for rows in next(source.rows()).gradients.values()
    )


def test_an_unknown_block_is_refused_with_the_near_one(source):
    message = (
        f"block 'h.0.q.lora_A' is unknown: expected one of: {A}, {B}; did you mean "
        f"'{A}'?."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        list(source.rows(["h.0.q.lora_A"]))


def test_a_size_below_one_is_refused(source):
    message = "size must be at least 1, got 0."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        list(source.rows(size=0))
