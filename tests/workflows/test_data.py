"""From `DataConfig` to rows, to which are wrong, and to a task by the columns."""

import json
import re
from typing import Any

import numpy as np
import pytest

from datainf.core.errors import DataError, OptionError
from datainf.core.run_config import DataConfig
from datainf.integrations.label_noise import FLIPPED
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.table import TASKS
from datainf.workflows.data import (
    label_column,
    load_rows,
    require_data,
    task_name_for,
    text_columns_of,
)
from tests.cases import TokenTask
from tests.tiny_models import tiny_tokenizer

N = 13
NAMES = ("anger", "fear", "joy")
ROWS: list[dict[str, Any]] = [
    {
        "text": f"row {i}",
        "label": i % 3,
        "right": (i + (i == 5)) % 3,
        "feeling": NAMES[i % 3],
        "meant": NAMES[(i + (i == 7)) % 3],
    }
    for i in range(N)
]


def refused(message: str, kind: type[Exception] = DataError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    return str(path)


def classification(**options: Any) -> SequenceClassification:
    return SequenceClassification(tiny_tokenizer(), text_columns="text", **options)


def test_rows_are_loaded_as_they_are(file):
    found = load_rows(DataConfig(data=file), classification())
    assert list(found.dataset) == ROWS
    assert found.wrong is None


def test_the_limit_holds(file):
    assert len(load_rows(DataConfig(data=file, limit=5), classification()).dataset) == 5


# --- labels that are known to be wrong ----------------------------------------------


def test_labels_are_flipped_and_remembered(file):
    config = DataConfig(data=file, flip_labels=0.3, flip_seed=7)
    found = load_rows(config, classification(num_labels=3))
    assert found.wrong is not None
    given = np.array([row["label"] for row in ROWS])
    np.testing.assert_array_equal(
        found.wrong, np.array(found.dataset["label"]) != given
    )
    assert found.wrong.sum() == 4
    assert list(found.dataset[FLIPPED]) == found.wrong.tolist()
    assert list(found.dataset["text"]) == [row["text"] for row in ROWS]
    other = load_rows(
        DataConfig(data=file, flip_labels=0.3, flip_seed=11), classification()
    )
    assert list(found.dataset["label"]) != list(other.dataset["label"])


def test_a_flip_knows_the_classes_of_the_task(file):
    config = DataConfig(data=file, flip_labels=0.9)
    found = load_rows(config, classification(num_labels=101))
    assert max(found.dataset["label"]) > 2


def test_completions_are_flipped_by_the_name_of_their_column(file):
    columns = {"prompt": "text", "completion": "feeling"}
    task = CausalLM(tiny_tokenizer(), columns=columns)
    found = load_rows(DataConfig(data=file, flip_labels=0.3), task)
    assert found.wrong is not None
    given = [row["feeling"] for row in ROWS]
    changed = [a != b for a, b in zip(found.dataset["feeling"], given, strict=True)]
    assert found.wrong.tolist() == changed
    assert sum(changed) == 4


def test_labels_are_compared_with_the_column_of_right_ones(file):
    found = load_rows(DataConfig(data=file, truth="right"), classification())
    assert found.wrong is not None
    assert found.wrong.dtype == bool
    assert np.flatnonzero(found.wrong).tolist() == [5]
    assert list(found.dataset) == ROWS


def test_a_name_and_a_number_of_one_class_are_the_same_label(file):
    task = classification(label_column="feeling", labels=NAMES)
    found = load_rows(DataConfig(data=file, truth="right"), task)
    assert found.wrong is not None
    assert np.flatnonzero(found.wrong).tolist() == [5]


def test_completions_are_compared_as_texts(file):
    columns = {"prompt": "text", "completion": "feeling"}
    task = CausalLM(tiny_tokenizer(), columns=columns)
    found = load_rows(DataConfig(data=file, truth="meant"), task)
    assert found.wrong is not None
    assert np.flatnonzero(found.wrong).tolist() == [7]


@pytest.mark.parametrize(
    ("truth", "options", "message"),
    [
        (
            "rigth",
            {},
            "column 'rigth' is missing: expected one of: text, label, right, feeling, "
            "meant; did you mean 'right'?.",
        ),
        (
            "right",
            {"label_column": "labels"},
            "column 'labels' is missing: expected one of: text, label, right, feeling, "
            "meant; did you mean 'label'?.",
        ),
    ],
)
def test_a_missing_column_is_named(file, truth, options, message):
    with refused(message):
        load_rows(DataConfig(data=file, truth=truth), classification(**options))


def test_the_label_column_is_that_of_the_task():
    tokenizer = tiny_tokenizer()
    assert label_column(SequenceClassification(tokenizer)) == "label"
    assert label_column(SequenceClassification(tokenizer, label_column="y")) == "y"
    assert label_column(CausalLM(tokenizer)) == "completion"
    assert label_column(CausalLM(tokenizer, columns={"completion": "a"})) == "a"
    assert label_column(CallableTask(lambda _, batch: batch["x"])) == "completion"
    assert label_column(TokenTask()) == "completion"


# --- what must be there -------------------------------------------------------------


@pytest.mark.parametrize("config", [None, DataConfig(), DataConfig(limit=3)])
def test_a_run_without_data_is_refused_with_the_flag(config):
    message = "no queries given; name a file with --queries FILE, or in run.yaml."
    with refused(message, OptionError):
        require_data(config, "queries", "--queries")


def test_data_that_is_there_passes():
    config = DataConfig(data="rows.jsonl")
    assert require_data(config, "queries", "--queries") is config


# --- a task by the columns ----------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "labels", "name"),
    [
        (["prompt", "completion"], "label", "causal-lm"),
        (["prompt", "completion", "label"], "label", "causal-lm"),
        (["messages", "label"], "label", "causal-lm"),
        (["input_ids", "labels"], "label", "causal-lm"),
        (["text"], "label", "causal-lm"),
        (["text", "label"], "label", "sequence-classification"),
        (["text", "stars"], "stars", "sequence-classification"),
        (["text", "stars"], "label", "causal-lm"),
        (["premise", "hypothesis", "label"], "label", "sequence-classification"),
    ],
)
def test_a_task_is_chosen_by_the_columns(columns, labels, name):
    assert task_name_for(columns, labels) == name


def test_columns_that_fit_no_task_are_refused():
    message = (
        "the columns prompt, answer fit no task by themselves; say --task "
        f"{' or --task '.join(TASKS)}, and which columns to read."
    )
    with refused(message):
        task_name_for(["prompt", "answer"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"name": "causal-lm", "text_columns": ["line"]},
            {"name": "causal-lm", "columns": {"text": "line"}},
        ),
        (
            {"name": "causal-lm", "text_columns": "line"},
            {"name": "causal-lm", "columns": {"text": "line"}},
        ),
        (
            {"name": "causal-lm", "text_columns": ["line"], "columns": {"tools": "t"}},
            {"name": "causal-lm", "columns": {"text": "line", "tools": "t"}},
        ),
        (
            {"name": "causal-lm", "text_columns": ["line"], "columns": {"text": "x"}},
            {"name": "causal-lm", "columns": {"text": "x"}},
        ),
        (
            {"name": "causal-lm", "text_columns": ["line"], "columns": None},
            {"name": "causal-lm", "columns": {"text": "line"}},
        ),
        ({"name": "causal-lm", "text_columns": ["a", "b"]}, None),
        (
            {"name": "seq2seq", "text_columns": ["line"]},
            {"name": "seq2seq", "columns": {"prompt": "line"}},
        ),
        ({"name": "causal-lm"}, None),
        ({"name": "sequence-classification", "text_columns": ["line"]}, None),
        ({"text_columns": ["line"]}, None),
    ],
)
def test_one_text_column_serves_a_language_model_too(given, expected):
    before = dict(given)
    assert text_columns_of(given) == (before if expected is None else expected)
    assert given == before
