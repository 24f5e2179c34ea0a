"""Checkpoints: what must be alike between them, and moments that fit."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from datainf.core.checkpoint import Checkpoint, Moments, name_of, require_alike
from datainf.core.errors import OptionError, StoreError
from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.store.memory import InMemorySource

WHO = Identity("base", "first", {"name": "task"}, "data")


def refuses(kind, message):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def source(rows: int, columns: int = 3, **known: Any) -> InMemorySource:
    made = InMemorySource({"w": torch.ones(rows, columns)})
    for name, value in known.items():
        setattr(made, name, value)
    return made


def one(**options: Any) -> Checkpoint:
    return Checkpoint(**{"train": source(7), "queries": source(2), **options})


def test_the_same_rows_at_other_adapters_are_alike():
    who = replace(WHO, adapter="second")
    require_alike(
        [one(train=source(7, identity=found)) for found in (WHO, who)] + [one()]
    )


def test_none_at_all_is_refused():
    with refuses(OptionError, "no checkpoint came; give at least one."):
        require_alike([])


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_are_numbers_of_at_least_zero(weight):
    with refuses(
        OptionError,
        f"the weight of checkpoint 1 must be a number of at least 0, got {weight!r}.",
    ):
        require_alike([one(weight=0.0), one(weight=weight)])


@pytest.mark.parametrize("what", ["train", "queries"])
def test_other_numbers_of_rows_are_refused(what):
    first, other = one(), one(**{what: source(5)}, name="checkpoint-20")
    count = len(getattr(first, what))
    with refuses(
        StoreError,
        f"{what} of checkpoint 0 holds {count} rows and {what} of checkpoint-20 5; "
        "collect the same rows at every checkpoint.",
    ):
        require_alike([first, other])


def test_other_tensors_are_refused():
    with pytest.raises(StoreError, match=r"hold gradients of different tensors"):
        require_alike([one(), one(train=source(7, 5))])


def test_other_data_and_tasks_are_refused_by_what_differs():
    who = Identity("base", "second", {"name": "task", "length": 5}, "others")
    with refuses(
        StoreError,
        "train of checkpoint 0 and train of checkpoint 1 do not belong together: task "
        "length: None against 5; other data; collect the same rows in the same way at "
        "every checkpoint.",
    ):
        require_alike([one(train=source(7, identity=found)) for found in (WHO, who)])


def test_other_rows_left_out_are_refused():
    kept = [np.array([0, 1, 2, 3, 4, 5, last]) for last in (6, 7)]
    with refuses(
        StoreError,
        "train of checkpoint 0 and train of checkpoint 1 leave out different rows; "
        "leave the same out of the data, and collect again.",
    ):
        require_alike([one(train=source(7, index=index)) for index in kept])


def test_checkpoints_are_named_by_place_where_they_have_no_name():
    assert name_of(one(), 3) == "checkpoint 3"
    assert name_of(one(name="checkpoint-20"), 3) == "checkpoint-20"


def test_moments_of_other_tensors_are_refused():
    layout = Layout.from_shapes({"w": (3,)})
    right = Moments({"w": torch.zeros(3)}, {"w": torch.zeros(3)}, {"w": 0})
    right.require_fitting(layout)
    with refuses(
        StoreError,
        "the second moment of block w has 5 numbers, its gradients 3; give the "
        "moments of the training that made this adapter.",
    ):
        replace(right, second={"w": torch.zeros(5)}).require_fitting(layout)
    for lacking in (
        replace(right, first={}),
        replace(right, second={}),
        replace(right, steps={}),
    ):
        with refuses(
            StoreError,
            "the optimizer's moments hold nothing of block w; give those of the "
            "training that made this adapter.",
        ):
            lacking.require_fitting(layout)
