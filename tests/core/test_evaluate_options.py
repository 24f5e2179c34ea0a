"""The options of `evaluate`: checked when they are made, lists from single values."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.core.evaluate_options import BatchOrder, EvaluateOptions


def test_a_single_value_stands_for_a_list_of_it():
    found = EvaluateOptions(methods="exact", scores="runs/mine", order="kept")
    assert (found.methods, found.scores) == (("exact",), ("runs/mine",))
    assert found.order == (BatchOrder.KEPT,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"remove": [0]}, "remove must be above 0 and below 1, got 0."),
        ({"remove": [1.5]}, "remove must be a number of at least 0 and below 1, "),
        ({"order": ["new"]}, "order='new' is unknown: expected one of: reshuffled, "),
        ({"subsets": 2}, "subsets must be a whole number of at least 3, got 2."),
        ({"workers": 0}, "workers must be a whole number of at least 1, got 0."),
        ({"each": 0}, "each must be a whole number of at least 1, got 0."),
        ({"drop": [0]}, "drop must be a whole number of at least 1, got 0."),
        ({"examples": [-1]}, "examples must be a whole number of at least 0, got -1."),
    ],
)
def test_values_out_of_range_are_refused(given, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}"):
        EvaluateOptions(**given)
