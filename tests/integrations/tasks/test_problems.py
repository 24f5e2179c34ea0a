"""Several classes and regressions: transformers' own losses, and labels refused."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer

MULTI = "multi_label_classification"


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def several(count=3, **options):
    return SequenceClassification(
        tiny_tokenizer(), num_labels=count, problem=MULTI, **options
    )


def regression():
    return SequenceClassification(tiny_tokenizer(), problem="regression")


@pytest.mark.parametrize(
    ("problem", "count", "labels"),
    [
        ("single_label_classification", 3, [2, 0, 1]),
        (MULTI, 3, [[0, 2], [1.0, 0.0, 0.0], []]),
        ("regression", 1, [0.5, -3, "4.25"]),
    ],
)
def test_each_loss_is_the_models_own_of_a_batch_of_one(problem, count, labels):
    task = SequenceClassification(tiny_tokenizer(), num_labels=count, problem=problem)
    model = tiny_bert_classifier(count, dtype=torch.float64)
    texts = ["abc", "a longer text", "z"]
    rows = [{"text": t, "label": y} for t, y in zip(texts, labels, strict=True)]
    losses = task.losses(model, task.collate(rows))
    model.config.problem_type = problem
    for row, loss in zip(rows, losses, strict=True):
        batch = dict(task.collate([row]))
        if problem != "single_label_classification":
            batch["labels"] = batch["labels"].double()
        torch.testing.assert_close(loss, model(**batch).loss, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([0, 2], (1, 0, 1)),
        ((1,), (0, 1, 0)),
        ([], (0, 0, 0)),
        ([0, 1, 1], (0, 1, 1)),
        ([1.0, 0.0, 0.0], (1, 0, 0)),
        ([True, False, True], (1, 0, 1)),
        (np.array([0.0, 1.0, 0.0]), (0, 1, 0)),
        (torch.tensor([2, 1]), (0, 1, 1)),
        (["c", "a"], (1, 0, 1)),
    ],
    ids=str,
)
def test_classes_and_marks_are_read(given, wanted):
    task = several(None, labels=["a", "b", "c"])
    assert task.label_of({"label": given}) == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            1,
            "label 1 is no list in the row {'label': 1}; several classes need a list "
            "of classes, or a list with 0 or 1 for each class.",
        ),
        (
            [0, 3],
            "label 3 is outside of the classes 0 to 2 in the row {'label': [0, 3]}; "
            "correct the row or take it out.",
        ),
        (
            [2, 2],
            "label [2, 2] names a class twice in the row {'label': [2, 2]}; correct "
            "it.",
        ),
        (
            [0.5],
            "label 0.5 is no class number in the row {'label': [0.5]}; make the column "
            "whole numbers from 0, or give the class names in the order of training as "
            "labels= (--task-option 'labels=[bad, good]').",
        ),
    ],
)
def test_labels_that_are_no_classes_are_refused(given, message):
    with refused(message):
        several().label_of({"label": given})


def test_a_label_that_can_be_read_in_two_ways_is_refused():
    message = (
        "label [1, 0] can be read as classes and as a 0 or 1 for each class in the row "
        "{'label': [1, 0]}; give names of classes with labels=, or 0.0 and 1.0."
    )
    with refused(message):
        several(2).label_of({"label": [1, 0]})
    assert several(2).label_of({"label": [1.0, 0.0]}) == (1, 0)
    assert several(2).label_of({"label": [1, 1]}) == (1, 1)


@pytest.mark.parametrize("given", ["high", float("nan"), True, [1.0, 2.0]])
def test_what_is_no_number_is_refused(given):
    message = (
        f"label {given!r} is no number in the row {{'label': {given!r}}}; a regression "
        "needs one finite number."
    )
    with refused(message):
        regression().label_of({"label": given})


@pytest.mark.parametrize(
    ("given", "problem"), [([0, 1], MULTI), (1.5, "regression")], ids=str
)
def test_a_label_of_another_problem_is_refused_and_the_problem_named(given, problem):
    message = (
        f"label {given!r} is no class number in the row {{'label': {given!r}}}; make "
        "the column whole numbers from 0, or give the class names in the order of "
        "training as labels= (--task-option 'labels=[bad, good]'), "
        f"or pass problem={problem!r}."
    )
    with refused(message):
        SequenceClassification(tiny_tokenizer()).label_of({"label": given})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"problem": "multi_label"},
            "problem='multi_label' is unknown: expected one of: "
            "single_label_classification, multi_label_classification, regression.",
        ),
        (
            {"problem": MULTI},
            "problem='multi_label_classification' needs the number of classes; give "
            "num_labels or labels.",
        ),
        (
            {"problem": "regression", "num_labels": 3},
            "problem='regression' predicts one number and has no classes; leave labels "
            "and num_labels out.",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with refused(message, OptionError):
        SequenceClassification(tiny_tokenizer(), **options)


@pytest.mark.parametrize(
    ("model_type", "count", "message"),
    [
        (
            MULTI,
            3,
            "model.config.problem_type is 'multi_label_classification', the task's "
            "problem is 'single_label_classification'; pass "
            "problem='multi_label_classification' to the task, or set "
            "model.config.problem_type as in training.",
        ),
        (
            None,
            1,
            "the model's head has one output (a regression), the task's problem is "
            "'single_label_classification'; pass problem='regression' to the task, or "
            "set model.config.problem_type as in training.",
        ),
    ],
)
def test_a_model_that_predicts_something_else_is_refused(model_type, count, message):
    task, model = SequenceClassification(tiny_tokenizer()), tiny_bert_classifier(count)
    model.config.problem_type = model_type
    with refused(message, AdapterError):
        task.losses(model, task.collate([{"text": "a", "label": 0}]))


def test_heads_of_another_width_are_refused():
    model = tiny_bert_classifier(3)
    message = (
        "the task has 5 classes and the model's head 3; give the num_labels or labels "
        "of training."
    )
    task = several(5)
    with refused(message, AdapterError):
        task.losses(model, task.collate([{"text": "a", "label": [1]}]))
    message = (
        "problem='regression' needs a head with one output, the model has 3; set "
        "num_labels=1 when the head is made."
    )
    with refused(message, AdapterError):
        regression().losses(model, regression().collate([{"text": "a", "label": 1}]))


def test_descriptions_name_what_is_predicted():
    named = several(None, labels=["a", "b", "c"])
    assert named.describe({"text": "x", "label": [0, 2]}) == "x → a, c"
    assert named.describe({"text": "x", "label": []}) == "x → none"
    assert several().describe({"text": "x", "label": [0, 2]}) == "x → 0, 2"
    assert regression().describe({"text": "x", "label": "2.50"}) == "x → 2.5"
