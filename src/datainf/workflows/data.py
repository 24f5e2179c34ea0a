"""From the data of run.yaml to examples, and to which of them are known to be wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datainf.core.errors import DataError, OptionError, near
from datainf.core.run_config import DataConfig
from datainf.core.task import Task
from datainf.integrations.examples import load_examples
from datainf.integrations.label_noise import flip_labels
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.table import TASKS

CLASSIFICATION = SequenceClassification.name
# The column that one `text_columns` names, of tasks that read one text by another name.
_TEXT_OF: Mapping[str, str] = {"causal-lm": "text", "seq2seq": "prompt"}


@dataclass(frozen=True)
class Examples:
    """Loaded examples.

    Attributes:
        dataset: The rows, labels flipped where that was asked for.
        wrong: Which labels are known to be wrong, where it is known.
    """

    dataset: Any
    wrong: NDArray[np.bool_] | None


def require_data(config: DataConfig | None, what: str, flag: str) -> DataConfig:
    """Refuse a run without data.

    Args:
        config: What run.yaml holds.
        what: What is missing, for the message.
        flag: The command-line flag that gives it.

    Returns:
        The same, if it is there.

    Raises:
        OptionError: If it is not.
    """
    if config is None or not config.data:
        raise OptionError(
            f"no {what} given; name a file with {flag} FILE, or in run.yaml."
        )
    return config


def load_rows(config: DataConfig, task: Task) -> Examples:
    """Load examples; flip labels, or compare them with the right ones, if asked.

    Args:
        config: Where from, and what is known about the labels.
        task: Says which column holds the label.

    Returns:
        The rows and which of their labels are wrong.
    """
    dataset = load_examples(config)
    if config.flip_labels:
        column = label_column(task)
        flipped, flags = flip_labels(
            dataset,
            column,
            config.flip_labels,
            config.flip_seed,
            getattr(task, "num_labels", None),
        )
        return Examples(flipped, flags)
    if config.truth is not None:
        return Examples(dataset, _wrong(dataset, config.truth, task))
    return Examples(dataset, None)


def label_column(task: Task) -> str:
    """Name the column that holds what may be wrong about an example.

    Args:
        task: The task.

    Returns:
        The label of a classification, the completion of a language model.
    """
    columns: Mapping[str, str] = getattr(task, "columns", {})
    return str(getattr(task, "label_column", columns.get("completion", "completion")))


def task_name_for(columns: Sequence[str], labels: str = "label") -> str:
    """Choose a task by the columns of the data, where none was named.

    Args:
        columns: The data's columns.
        labels: Name of the label column.

    Returns:
        A task's name.

    Raises:
        DataError: If the columns fit no task.
    """
    if {"prompt", "completion"} <= set(columns) or {"messages", "input_ids"} & set(
        columns
    ):
        return "causal-lm"
    if {"tokens", "ner_tags"} <= set(columns):
        return "token-classification"
    if {labels, "image"} <= set(columns):
        return "image-classification"
    if {"image", "text"} <= set(columns):
        return "text-to-image"
    if labels in columns:
        return CLASSIFICATION
    if "text" in columns:
        return "causal-lm"
    raise DataError(
        f"the columns {', '.join(columns)} fit no task by themselves; say "
        f"--task {' or --task '.join(TASKS)}, and which columns to read."
    )


def text_columns_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Let one name of a text column serve every task.

    Args:
        settings: A task's settings, with its name.

    Returns:
        The same; for a language model one `text_columns` becomes its column `text`, for
        one from text to text its column `prompt`.
    """
    found = dict(settings)
    names = found.get("text_columns") or []
    names = [names] if isinstance(names, str) else names
    text = _TEXT_OF.get(str(found.get("name")))
    if text is not None and len(names) == 1:
        del found["text_columns"]
        found["columns"] = {text: names[0], **dict(found.get("columns") or {})}
    return found


def with_problem(settings: Mapping[str, Any], config: object) -> dict[str, Any]:
    """Settle what a classifier predicts by its model, where the user does not say it.

    Args:
        settings: A task's settings, with its name.
        config: The model's configuration: its `problem_type`; one output is a
            regression to transformers.

    Returns:
        The same, with the `problem` of a sequence classification where it is known.
    """
    found = dict(settings)
    if found.get("name") == CLASSIFICATION and found.get("problem") is None:
        one = getattr(config, "num_labels", None) == 1
        told = getattr(config, "problem_type", None) or ("regression" if one else None)
        if told is not None:
            found["problem"] = told
    return found


def _wrong(dataset: Any, truth: str, task: Task) -> NDArray[np.bool_]:
    """Compare every label with the right one."""
    given = label_column(task)
    for column in (truth, given):
        if column not in dataset.column_names:
            raise DataError(
                f"column {column!r} is missing: {near(column, dataset.column_names)}."
            )
    read = getattr(task, "label_of", None)
    pairs = zip(dataset[given], dataset[truth], strict=True)
    if read is None:
        return np.array([mine != right for mine, right in pairs])
    return np.array(
        [read({given: mine}) != read({given: right}) for mine, right in pairs]
    )
