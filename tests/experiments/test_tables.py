"""Numbers as pages write them."""

import math

import pytest

from datainf.experiments.tables import listed, mean_text, share, short, with_ends


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, ".000"),
        (-1e-5, ".000"),
        (0.9996, "1.000"),
        (-0.25, "−.250"),
        (math.nan, "–"),
    ],
)
def test_a_share_has_three_digits_and_no_leading_zero(value, text):
    assert share(value) == text


def test_a_number_stands_with_its_interval():
    one = {"lds": 0.5, "loo": 0.25, "low": -0.1, "high": 0.75}
    assert with_ends(one) == ".500 (−.100 to .750)"
    assert with_ends(one, "loo") == ".250 (−.100 to .750)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (None, "–"),
        (123.4, "120"),
        (1.26, "1.3"),
        (0.0123, "0.012"),
        (3e-9, "3e-09"),
    ],
)
def test_a_size_has_two_digits(value, text):
    assert short(value) == text


def test_a_mean_says_its_interval_and_what_was_left_out():
    assert mean_text([0.5]) == ".500"
    assert mean_text([0.5, 0.5, 0.5]) == ".500 (.500 to .500)"
    assert mean_text([0.5, None, math.nan]) == ".500 [2 undefined]"
    assert mean_text([None]) == "–"


def test_names_are_joined_as_in_a_sentence():
    assert [listed(["a"]), listed(["a", "b", "c"])] == ["a", "a, b and c"]
