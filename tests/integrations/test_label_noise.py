"""Flipped labels: how many, which, to what."""

import re

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from datainf.core.errors import DataError, OptionError
from datainf.integrations.label_noise import flip_labels


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def rows(count=53, classes=3):
    return Dataset.from_dict(
        {
            "text": [f"row {i}" for i in range(count)],
            "label": [i % classes for i in range(count)],
            "id": list(range(count)),
        }
    )


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.integers(0, 2**32), st.integers(2, 5))
def test_exactly_the_share_is_flipped_each_to_another_class(share, seed, classes):
    data = rows(classes=classes)
    flipped, flags = flip_labels(data, "label", share, seed, classes)
    before, after = np.array(data["label"][:]), np.array(flipped["label"][:])
    assert flags.sum() == round(share * 53)
    np.testing.assert_array_equal(before != after, flags)
    assert after.min() >= 0
    assert after.max() < classes
    assert flipped["datainf_flipped"][:] == flags.tolist()


def test_the_same_rows_are_flipped_alike_in_any_order():
    data = rows()
    order = np.random.default_rng(1).permutation(len(data))
    first, first_flags = flip_labels(data, "label", 0.3, 7)
    second, second_flags = flip_labels(data.select(order), "label", 0.3, 7)
    np.testing.assert_array_equal(second_flags, first_flags[order])
    assert second["label"][:] == [first["label"][int(i)] for i in order]


def test_seeds_choose_other_rows():
    _, first = flip_labels(rows(), "label", 0.3, 0)
    _, second = flip_labels(rows(), "label", 0.3, 1)
    assert first.tolist() != second.tolist()


def test_every_other_class_is_reached():
    flipped, flags = flip_labels(rows(300, 3), "label", 1.0, 0)
    moves = {(i % 3, flipped["label"][i]) for i in range(300)}
    assert bool(flags.all())
    assert moves == {(a, b) for a in range(3) for b in range(3) if a != b}


def test_equal_rows_are_flipped_apart():
    data = Dataset.from_dict({"text": ["same"] * 10, "label": [1] * 10})
    _, flags = flip_labels(data, "label", 0.5, 0, 2)
    assert flags.sum() == 5


def test_class_names_are_flipped_to_class_names():
    data = Dataset.from_dict(
        {"text": list("abcd"), "label": ["no", "yes", "no", "yes"]}
    )
    flipped, _ = flip_labels(data, "label", 1.0, 0)
    assert flipped["label"][:] == ["yes", "no", "yes", "no"]


def test_everything_else_stays():
    features = Features(
        {
            "text": Value("string"),
            "label": ClassLabel(names=["bad", "good"]),
            "id": Value("int32"),
        }
    )
    data = Dataset.from_dict(
        {"text": ["a", "b"], "label": [0, 1], "id": [5, 6]}, features=features
    )
    flipped, _ = flip_labels(data, "label", 0.5, 0)
    assert flipped.column_names == ["text", "label", "id", "datainf_flipped"]
    assert {**flipped.features, "datainf_flipped": None} == {
        **features,
        "datainf_flipped": None,
    }
    assert flipped["text"][:] == ["a", "b"]
    assert flipped["id"][:] == [5, 6]
    assert data["label"][:] == [0, 1]


@pytest.mark.parametrize(
    ("labels", "num_labels", "message"),
    [
        ([0, 3], 3, "column 'label' holds the label 3, outside of the classes 0 to 2."),
        (
            [0, -1],
            None,
            "column 'label' must hold class numbers from 0, or class names, in every "
            "row.",
        ),
        (
            [0.5, 1.0],
            None,
            "column 'label' must hold class numbers from 0, or class names, in every "
            "row.",
        ),
        (
            ["a", "a"],
            None,
            "column 'label' holds 1 class; flipping needs at least 2.",
        ),
        ([0, 0], None, "column 'label' holds 1 class; flipping needs at least 2."),
    ],
)
def test_labels_that_cannot_be_flipped_are_refused(labels, num_labels, message):
    data = Dataset.from_dict({"label": labels})
    with refused(message):
        flip_labels(data, "label", 0.5, 0, num_labels)


def test_wrong_arguments_are_refused():
    with refused("share of labels to flip must lie in [0, 1], got 1.5.", OptionError):
        flip_labels(rows(), "label", 1.5, 0)
    message = (
        "column 'lable' is missing: expected one of: text, label, id; did you mean "
        "'label'?."
    )
    with refused(message):
        flip_labels(rows(), "lable", 0.5, 0)
    flipped, _ = flip_labels(rows(), "label", 0.5, 0)
    message = (
        "the data has a column 'datainf_flipped' already: its labels were flipped "
        "before; start from the original data."
    )
    with refused(message):
        flip_labels(flipped, "label", 0.5, 0)
