"""CallableTask: a user's own loss, and the default way from rows to batches."""

import functools
import re

import pytest
import torch
from torch import nn

from datainf.core.errors import DataError, OptionError
from datainf.integrations.tasks.callable import CallableTask


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def squares(model: nn.Module, batch) -> torch.Tensor:
    return model(batch["x"]).square().sum(dim=1)


class Scaled:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __call__(self, model, batch):
        return self.scale * squares(model, batch)


ROWS = [{"x": torch.ones(2), "id": "a"}, {"x": torch.zeros(2), "id": "b"}]


@pytest.mark.parametrize(
    ("loss", "wanted"), [(squares, [2.0, 0.0]), (Scaled(0.5), [1.0, 0.0])]
)
def test_losses_are_the_users(loss, wanted):
    task = CallableTask(loss)
    assert task.losses(nn.Identity(), task.collate(ROWS)).tolist() == wanted


@pytest.mark.parametrize(
    ("loss", "came"),
    [
        (lambda model, batch: squares(model, batch).mean(), "a tensor []"),
        (lambda model, batch: model(batch["x"]), "a tensor [2, 2]"),
        (lambda _model, _batch: [1.0, 2.0], "list"),
    ],
    ids=["mean", "not reduced", "list"],
)
def test_a_loss_of_another_shape_is_refused(loss, came):
    task = CallableTask(loss, label="mine")
    message = (
        f"the loss mine must give one number an example, [2] here, got {came}; reduce "
        "over tokens, not over examples."
    )
    with refused(message, OptionError):
        task.losses(nn.Identity(), task.collate(ROWS))


def test_token_lists_are_padded_and_the_rest_is_stacked():
    rows = [
        {"input_ids": [5, 6, 7], "labels": [5, 6, 7], "weight": 0.5, "text": "a"},
        {"input_ids": torch.tensor([8]), "labels": [8], "weight": 1.5, "text": "b"},
    ]
    batch = CallableTask(squares, pad_token_id=9).collate(rows)
    assert {name: value.tolist() for name, value in batch.items()} == {
        "input_ids": [[5, 6, 7], [8, 9, 9]],
        "labels": [[5, 6, 7], [8, -100, -100]],
        "weight": [0.5, 1.5],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }


def test_a_given_attention_mask_stays():
    rows = [
        {"input_ids": [5, 6], "attention_mask": [1, 0]},
        {"input_ids": [7], "attention_mask": [1]},
    ]
    batch = CallableTask(squares).collate(rows)
    assert batch["attention_mask"].tolist() == [[1, 0], [1, 0]]


def test_class_numbers_are_stacked():
    batch = CallableTask(squares).collate([{"labels": 1}, {"labels": 0}])
    assert batch["labels"].tolist() == [1, 0]


def test_a_collator_of_the_users_own_is_called():
    task = CallableTask(
        squares, lambda rows: {"x": torch.stack([r["x"] for r in rows])}
    )
    assert list(task.collate(ROWS)) == ["x"]


def test_rows_with_other_columns_are_refused():
    message = (
        "column 'b' is missing in some rows of a batch; give every row the same "
        "columns, or a collator of your own."
    )
    with refused(message):
        CallableTask(squares).collate([{"a": 1, "b": 2}, {"a": 1}])


def test_what_cannot_be_stacked_is_refused():
    rows = [{"x": torch.ones(2)}, {"x": torch.ones(3)}]
    with pytest.raises(
        DataError,
        match=r"^column 'x' cannot be made one tensor \(.*\); give a collator of your "
        r"own\.$",
    ):
        CallableTask(squares).collate(rows)


@pytest.mark.parametrize(
    ("row", "length"), [({"input_ids": [5, 6, 7]}, 3), ({"x": torch.ones(5)}, 1)]
)
def test_lengths_are_counted_in_tokens(row, length):
    assert CallableTask(squares).length(row) == length


def test_descriptions_are_the_texts_or_the_users():
    row = {"text": "a", "label": 1, "more": "b"}
    assert CallableTask(squares).describe(row) == "a ⟂ b"
    assert CallableTask(squares).describe({"label": 1}) == "{'label': 1}"
    own = CallableTask(squares, describer=lambda row: f"label {row['label']}")
    assert own.describe(row) == "label 1"


def test_settings_tell_losses_apart():
    here = CallableTask(squares).settings()
    assert here["loss"] == f"{__name__}.squares"
    assert here["collator_source"] is None
    assert here == CallableTask(squares).settings()
    others = [
        CallableTask(Scaled(1.0)),
        CallableTask(functools.partial(squares)),
        CallableTask(squares, label="mine"),
        CallableTask(squares, collator=lambda rows: rows),
        CallableTask(squares, pad_token_id=1),
        CallableTask(torch.add),
    ]
    assert all(task.settings() != here for task in others)
    assert CallableTask(torch.add).settings()["loss_source"] is None


@pytest.mark.parametrize("part", ["loss", "collator"])
def test_settings_tell_values_apart(part):
    def task(scale):
        scaled = functools.partial(Scaled, scale=scale)
        if part == "loss":
            return CallableTask(scaled).settings()
        return CallableTask(squares, collator=scaled).settings()

    assert task(2.0) == task(2.0)
    assert task(2.0) != task(3.0)
    assert task(2.0)["values"][part]["keywords"] == {"scale": 2.0}
