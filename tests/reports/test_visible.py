"""Text that can be written and seen; numbers written alike."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datainf.reports.visible import Passage, Scale, is_missing, passage, shown, visible

any_text = st.text(st.characters(codec=None, categories=None), max_size=31)


@given(any_text)
def test_any_text_can_be_written_and_holds_no_control_character(text: str) -> None:
    seen = visible(text)
    seen.encode("utf-8")
    assert not [c for c in seen if ord(c) < 32 and c not in "\n\t"]
    assert len(seen) >= len(text) - text.count("\r\n")


def some_passage(text: str) -> Passage:
    found = passage(text)
    assert found is not None
    return found


def test_what_cannot_be_seen_is_replaced_by_a_sign() -> None:
    assert visible("a\x00b\x1b\x7f\x85\udc00\ufffe") == "a␀b␛␡\ufffd\ufffd\ufffd"
    assert visible("a\r\nb\rc\td") == "a\nb\nc\td"
    assert visible("Köln 🔥 你好 مرحبا") == "Köln 🔥 你好 مرحبا"


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan"), pd.NA])
def test_nothing_is_nothing(nothing: object) -> None:
    assert is_missing(nothing)
    assert passage(nothing) is None
    assert shown(nothing) == "–"


@pytest.mark.parametrize("something", ["", 0, False, "nan"])
def test_something_is_something(something: object) -> None:
    assert not is_missing(something)
    assert passage(something) == Passage(str(something), long=False)


def test_long_texts_and_many_lines_are_folded() -> None:
    assert not some_passage("x" * 320).long
    assert some_passage("x" * 321).long
    assert not some_passage("x\n" * 4).long
    assert some_passage("x\n" * 5).long
    assert some_passage("x" * 5000).size == "5,000 characters"


def test_a_heading_is_one_short_line() -> None:
    assert some_passage("two\n  lines ").opening == "two lines"
    assert some_passage("word " * 100).opening == ("word " * 32).rstrip() + "…"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "yes"),
        (np.False_, "no"),
        (-4500, "−4,500"),
        (np.int64(7), "7"),
        (-0.00012346, "−0.0001235"),
        (np.float32(0.5), "0.5"),
        ({"a": 1, "b": None}, "a: 1, b: –"),
        (["x", 2.5], "x, 2.5"),
        (np.array([1, 2]), "1, 2"),
        (b"raw", "b'raw'"),
        ("t\x00", "t␀"),
    ],
)
def test_values_are_written_for_a_reader(value: object, written: str) -> None:
    assert shown(value) == written


@pytest.mark.parametrize(
    ("values", "written"),
    [
        ([-1.5, 0.25], ["−1.500", "+0.250"]),
        ([-123.456, 0.5], ["−123.5", "+0.5"]),
        ([0.0123456, -0.001], ["+0.01235", "−0.00100"]),
        ([45678.9, 2.0], ["+45679", "+2"]),
        ([1.5e-7, -2e-8], ["+1.500", "−0.200"]),
        ([-2.5e9, 1e3], ["−2.500", "+1.0e−06"]),
        ([10.0, 1e-5], ["+10.00", "+1.0e−05"]),
        ([0.0, 0.0], ["+0", "+0"]),
        ([5e-324], ["+0.000"]),
    ],
)
def test_numbers_of_one_list_have_the_same_digits(values, written) -> None:
    scale = Scale.of(values)
    if values == [5e-324]:  # the smallest there is: no crash, and not zero
        assert scale.power == -300
        assert scale.write(values[0]) == "+4.9e−24"
    else:
        assert [scale.write(value) for value in values] == written


def test_the_unit_is_a_power_of_ten() -> None:
    assert Scale.of([1.5e-7]).power == -7
    assert Scale.of([2.5e9]).power == 9
    assert Scale.of([0.004]).power == 0
    assert Scale.of([0.5]).write(0.5, sign=False) == "0.5000"
