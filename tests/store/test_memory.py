"""InMemorySource: reading, and what it refuses."""

import re

import pytest
import torch

from datainf.core.errors import DataError, NonFiniteError, OptionError
from datainf.core.factors import Factors
from datainf.core.layout import Layout
from datainf.core.source import GradientSource
from datainf.store import memory
from datainf.store.memory import InMemorySource

A = torch.arange(21.0).reshape(7, 3)
B = torch.arange(35.0).reshape(7, 5)


def refuses(kind, message):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def test_it_is_a_gradient_source():
    assert isinstance(InMemorySource({"a": A}), GradientSource)


@pytest.mark.parametrize("size", [None, 1, 2, 7, 100])
def test_rows_come_once_and_in_order_whatever_the_size(size):
    source = InMemorySource({"a": A, "b": B})
    parts = list(source.rows(size=size))
    assert torch.equal(torch.cat([part.gradients["a"] for part in parts]), A)
    assert torch.equal(torch.cat([part.gradients["b"] for part in parts]), B)
    squares = torch.cat([part.squared_norms for part in parts])
    expected = torch.stack([A.square().sum(1), B.square().sum(1)], dim=1).double()
    assert torch.equal(squares, expected)
    starts = [part.start for part in parts]
    lengths = [len(part) for part in parts]
    assert starts == [sum(lengths[:i]) for i in range(len(lengths))]
    assert max(lengths) <= (size or 7)
    assert len(source) == 7


def test_only_the_blocks_asked_for_are_read():
    source = InMemorySource({"a": A, "b": B})
    assert set(next(source.rows(["b"])).gradients) == {"b"}
    nothing = next(source.rows([]))
    assert not nothing.gradients
    assert nothing.squared_norms.shape == (7, 2)


def test_portions_are_views():
    (part,) = InMemorySource({"a": A}).rows()
    assert part.gradients["a"].data_ptr() == A.data_ptr()


def test_wide_blocks_are_cut_by_themselves(monkeypatch):
    monkeypatch.setattr(memory, "_PORTION_BYTES", 4 * 5 * 3)
    source = InMemorySource({"a": A, "b": B})
    assert [len(part) for part in source.rows(["b"])] == [3, 3, 1]
    assert [len(part) for part in source.rows(["a"])] == [5, 2]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_any_float_dtype_stays_and_is_squared_in_float64(dtype, monkeypatch):
    monkeypatch.setattr(memory, "_SQUARE_BYTES", 8 * 5 * 2)
    g = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    (part,) = InMemorySource({"a": g}).rows()
    assert part.gradients["a"].dtype == dtype
    assert part.squared_norms.dtype == torch.float64
    torch.testing.assert_close(
        part.squared_norms[:, 0], g.double().square().sum(1), rtol=1e-14, atol=0
    )


def test_the_layout_is_the_mappings_unless_given():
    assert InMemorySource({"a": A, "b": B}).layout == Layout.from_shapes(
        {"a": (3,), "b": (5,)}
    )
    layout = Layout.from_shapes({"b": (5, 1), "a": (3,)})
    source = InMemorySource({"a": A, "b": B}, layout)
    assert source.layout == layout
    assert next(source.rows(size=1)).squared_norms.tolist() == [[30, 5]]


def test_gradients_are_read_without_autograd():
    g = torch.ones(2, 3, requires_grad=True)
    (part,) = InMemorySource({"a": g}).rows()
    assert not part.gradients["a"].requires_grad


def test_refuses_what_is_no_matrix_of_floats():
    with refuses(OptionError, "gradients of a must be a tensor [N, d], got list."):
        memory._require_matrix("a", [[1.0]])
    with refuses(
        OptionError,
        "gradients of a must have shape [N, d], got [2, 3, 5]; flatten each example's "
        "gradient into one row.",
    ):
        InMemorySource({"a": torch.ones(2, 3, 5)})
    with refuses(
        OptionError, "gradients of a must be floating-point, got torch.int64."
    ):
        InMemorySource({"a": torch.ones(2, 3, dtype=torch.int64)})


def test_refuses_blocks_of_different_lengths():
    with refuses(
        DataError, "every block needs one row an example: a has 7 rows and b has 6."
    ):
        InMemorySource({"a": A, "b": B[:6]})


def test_refuses_no_rows_and_no_blocks():
    with refuses(DataError, "gradients hold no rows; give at least one example."):
        InMemorySource({"a": torch.ones(0, 3)})
    with refuses(OptionError, "a layout needs at least one block, got none."):
        InMemorySource({})


def test_refuses_a_layout_of_other_blocks():
    with refuses(
        OptionError,
        "gradients and layout name different blocks: missing ['c'], not in the layout "
        "['a'].",
    ):
        InMemorySource({"a": A}, Layout.from_shapes({"c": (3,)}))
    with refuses(OptionError, "gradients of a have 3 columns, the layout says 5."):
        InMemorySource({"a": A}, Layout.from_shapes({"a": (5,)}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_refuses_nan_and_infinity_by_block_and_row(value):
    broken = B.clone()
    broken[4, 2] = broken[5, 0] = value
    with refuses(
        NonFiniteError,
        "gradient of block b, row 4 is NaN, infinite or too large to square (2 such "
        "rows); leave these examples out.",
    ):
        InMemorySource({"a": A, "b": broken})


def test_refuses_unknown_blocks_and_sizes_below_one():
    source = InMemorySource({"lora_A": A})
    with refuses(
        OptionError,
        "block 'lora_B' is unknown: expected one of: lora_A; did you mean 'lora_A'?.",
    ):
        next(source.rows(["lora_B"]))
    with refuses(OptionError, "size must be at least 1, got 0."):
        next(source.rows(size=0))


def test_factors_are_given_back_and_only_for_known_blocks():
    rows, pair = (
        {"a": torch.ones(2, 6), "b": torch.ones(2, 1)},
        Factors(torch.eye(3), torch.eye(2)),
    )
    source = InMemorySource(rows, factors={"a": pair})
    assert source.factors("a") is pair
    found = source.factors("b")
    assert found is not None
    assert found.reason == "none were given"
    assert InMemorySource(rows).factors("a") is None
    with pytest.raises(OptionError, match=r"^block 'c' is unknown: expected one of: "):
        InMemorySource(rows, factors={"c": pair})


def test_losses_are_one_number_a_row():
    found = InMemorySource({"a": A}, losses=torch.arange(len(A)).double())
    assert found.losses is not None
    assert found.losses.tolist() == list(range(len(A)))
    with refuses(
        DataError,
        f"losses must hold one number for each of {len(A)} rows, got shape [3].",
    ):
        InMemorySource({"a": A}, losses=torch.zeros(3))
