"""Class labels: numbers, names, and what is neither."""

import re

import pytest
import torch

from datainf.core.errors import DataError, OptionError
from datainf.integrations.tasks.labels import Classes, require_known_classes

ROW = {"label": 0}


@pytest.mark.parametrize(
    ("given", "number"),
    [(2, 2), ("fair", 2), (torch.tensor(1), 1), (True, 1), ("good", 1)],
)
def test_numbers_and_names_become_numbers(given, number):
    assert Classes.of(["bad", "good", "fair"], None).number(given, ROW) == number


def test_classes_are_counted_by_their_names():
    assert Classes.of(["a", "b"], None) == Classes(("a", "b"), 2)
    assert Classes.of(None, 3) == Classes(None, 3)
    assert Classes.of(["a", "b"], None).name(1) == "b"
    assert Classes.of(None, None).name(1) == "1"


@pytest.mark.parametrize(
    ("names", "count", "message"),
    [
        (["a", "b", "a"], None, "labels must differ, got a, b, a."),
        (
            ["a", "b"],
            3,
            "num_labels=3 contradicts the 2 labels that are named; leave it out.",
        ),
    ],
)
def test_contradictions_are_refused(names, count, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Classes.of(names, count)


def test_what_else_may_be_meant_is_said():
    message = (
        "label 1.5 is no class number in the row {'label': 0}; make the column whole "
        "numbers from 0, or give the class names in the order of training as labels= "
        "(--task-option 'labels=[bad, good]'), or do that."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        Classes(None, None).number(1.5, ROW, ", or do that")


def test_the_models_classes_bound_the_labels():
    require_known_classes(2, 3)
    message = (
        "label 3 is outside of the model's classes 0 to 2; correct the data, or train "
        "a head with more classes."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        require_known_classes(3, 3)
