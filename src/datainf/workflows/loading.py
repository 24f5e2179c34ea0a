"""From run.yaml's names to what they name: model, task, examples, known errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from datainf.core.errors import DataError, OptionError, near
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.task import Task
from datainf.integrations.examples import load_examples
from datainf.integrations.label_noise import flip_labels
from datainf.integrations.peft import adapter_of, load_adapter
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.table import (
    infer_task_name,
    require_task_fits,
    task_from_settings,
)

CLASSIFICATION = SequenceClassification.name


@dataclass(frozen=True)
class Subject:
    """The model that is asked about.

    Attributes:
        model: The PEFT model.
        tokenizer: Its tokenizer.
        task: What the loss of an example is.
    """

    model: nn.Module
    tokenizer: Any
    task: Task


@dataclass(frozen=True)
class Examples:
    """Loaded examples.

    Attributes:
        dataset: The rows, labels flipped where that was asked for.
        wrong: Which labels are known to be wrong, where it is known.
    """

    dataset: Any
    wrong: NDArray[np.bool_] | None


def load_subject(config: RunConfig) -> Subject:
    """Load the adapter on its base, and make the task.

    Args:
        config: `adapter`, `model` and `task` are used.

    Returns:
        Model, tokenizer and task.

    Raises:
        OptionError: If no adapter is named.
    """
    if config.adapter is None:
        raise OptionError(
            "no adapter given; name its folder with --adapter, or as `adapter:` in "
            "run.yaml."
        )
    settings = dict(config.task)
    model, tokenizer = load_adapter(
        config.adapter, base=config.model, task_name=settings.get("name")
    )
    task_type = adapter_of(model).task_type
    if "name" not in settings:
        settings["name"] = infer_task_name(task_type or type(model.get_base_model()))
    classes = getattr(getattr(model, "config", None), "num_labels", None)
    if settings["name"] == CLASSIFICATION and not settings.get("labels"):
        settings.setdefault("num_labels", classes)
    task = task_from_settings(settings, tokenizer)
    require_task_fits(task, task_type)
    return Subject(model, tokenizer, task)


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
    if {"prompt", "completion"} <= set(columns) or {"messages", "input_ids"} & set(columns):
        return "causal-lm"
    if labels in columns:
        return CLASSIFICATION
    if "text" in columns:
        return "causal-lm"
    raise DataError(
        f"the columns {', '.join(columns)} fit no task by themselves; say --task causal-lm "
        "or --task sequence-classification, and which columns it reads."
    )


def _wrong(dataset: Any, truth: str, task: Task) -> NDArray[np.bool_]:  # noqa: ANN401 - datasets.Dataset
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
