"""What a sequence classifier's head says: one class, several classes, or a number.

With z one row of logits, y its label, C classes:

    single_label_classification   -log softmax(z)[y]                       y a class
    multi_label_classification    mean over c of  -log σ(z_c) or -log(1 - σ(z_c))
    regression                    (z - y)^2                                C = 1

the losses that transformers computes for the same `config.problem_type`, one number an
example. Which one it is is said by the user or by the model's configuration; labels
that do not fit are refused, never taken as another problem's. B examples.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.integrations.tasks.labels import Classes, require_known_classes
from datainf.integrations.tasks.predictions import Bernoulli, Categorical, Gaussian
from datainf.integrations.tasks.tokens import brief

Target = int | float | tuple[int, ...]
"""A label as the loss reads it: class number, number, or a 0/1 for each class."""


class Problem(StrEnum):
    """What is predicted, by transformers' own words."""

    SINGLE = "single_label_classification"
    """One class out of C."""
    MULTI = "multi_label_classification"
    """Any number of the C classes."""
    REGRESSION = "regression"
    """One real number."""


def target_of(
    problem: Problem, given: Any, classes: Classes, row: Mapping[str, Any]
) -> Target:
    """Read a label.

    Args:
        problem: What is predicted.
        given: What stands in the label column.
        classes: The classes; counted for several classes.
        row: The row, for messages.

    Returns:
        A class number, a real number, or a 0/1 for each class.
    """
    if problem is Problem.SINGLE:
        elsewhere = (
            f", or pass problem={str(_meant_by(given))!r}" if _meant_by(given) else ""
        )
        return classes.number(given, row, elsewhere)
    if problem is Problem.REGRESSION:
        return _real(given, row)
    return _several(given, classes, row)


def problem_predictions(
    problem: Problem, logits: Float[Tensor, "B C"], labels: Tensor
) -> Categorical | Bernoulli | Gaussian:
    """Read a head's outputs as a distribution over labels.

    Args:
        problem: What is predicted.
        logits: The head's outputs.
        labels: `[B]` class numbers or numbers, or `[B, C]` of 0 and 1.

    Returns:
        The distribution, whose losses are float32, or float64 when the logits are.

    Raises:
        AdapterError: If the head has another number of outputs than the problem needs.
    """
    count = logits.shape[1]
    if problem is Problem.REGRESSION:
        if count != 1:
            raise AdapterError(
                f"problem='regression' needs a head with one output, the model has "
                f"{count}; set num_labels=1 when the head is made."
            )
        return Gaussian(logits[:, 0], labels)
    if problem is Problem.MULTI:
        if count != labels.shape[1]:
            raise AdapterError(
                f"the task has {labels.shape[1]} classes and the model's head {count}; "
                "give the num_labels or labels of training."
            )
        return Bernoulli(logits, labels)
    require_known_classes(int(labels.max()), count)
    return Categorical.of_examples(logits, labels)


def as_tensor(problem: Problem, targets: Sequence[Target]) -> Tensor:
    """Make labels of a batch: whole numbers for one class, else float32."""
    kind = torch.long if problem is Problem.SINGLE else torch.float32
    return torch.tensor(targets, dtype=kind)


def require_same_problem(config: object, problem: Problem) -> None:
    """Refuse a model whose configuration names another problem.

    Args:
        config: The model's; what it does not say passes. One output without a problem
            is a regression to transformers.
        problem: The task's.

    Raises:
        AdapterError: If they differ.
    """
    own = getattr(config, "problem_type", None)
    why = f"model.config.problem_type is {own!r}"
    if own is None and getattr(config, "num_labels", None) == 1:
        own, why = Problem.REGRESSION, "the model's head has one output (a regression)"
    if own is not None and own != problem:
        raise AdapterError(
            f"{why}, the task's problem is {str(problem)!r}; pass problem={str(own)!r} "
            "to the task, or set model.config.problem_type as in training."
        )


def require_classes(problem: Problem, classes: Classes) -> Classes:
    """Refuse a number of classes that the problem cannot have.

    Args:
        problem: What is predicted.
        classes: What is known about the classes.

    Returns:
        The classes; one output for a regression.

    Raises:
        OptionError: If a regression has classes, or several classes are not counted.
    """
    if problem is Problem.REGRESSION:
        if classes.names is not None or classes.count not in (None, 1):
            raise OptionError(
                "problem='regression' predicts one number and has no classes; leave "
                "labels and num_labels out."
            )
        return Classes(None, 1)
    if problem is Problem.MULTI and classes.count is None:
        raise OptionError(
            "problem='multi_label_classification' needs the number of classes; give "
            "num_labels or labels."
        )
    return classes


def _meant_by(given: Any) -> Problem | None:
    """Tell what a label that is no class may have been meant for."""
    if _is_list(given):
        return Problem.MULTI
    return Problem.REGRESSION if isinstance(given, float) else None


def _real(given: Any, row: Mapping[str, Any]) -> float:
    """Read a number; a text of one counts, as tables without types hold it."""
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, RuntimeError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"label {given!r} is no number in the row {brief(row)}; a regression needs "
            "one finite number."
        )
    return value


def _several(given: Any, classes: Classes, row: Mapping[str, Any]) -> tuple[int, ...]:
    """Read a list of classes, or a 0/1 for each class."""
    if not _is_list(given):
        raise DataError(
            f"label {given!r} is no list in the row {brief(row)}; several classes need "
            "a list of classes, or a list with 0 or 1 for each class."
        )
    items = [item.item() if hasattr(item, "item") else item for item in given]
    count = classes.count or 0
    marks = len(items) == count and all(
        not isinstance(item, str) and item in (0, 1) for item in items
    )
    # [0, 1] of two classes is the second one as marks, and both as class numbers.
    plain = all(isinstance(i, int) and not isinstance(i, bool) for i in items)
    if marks and plain and sorted(items) == list(range(count)):
        raise DataError(
            f"label {given!r} can be read as classes and as a 0 or 1 for each class in "
            f"the row {brief(row)}; give names of classes with labels=, or 0.0 and 1.0."
        )
    if marks:
        return tuple(int(item) for item in items)
    numbers = [classes.number(item, row) for item in items]
    if len(set(numbers)) < len(numbers):
        raise DataError(
            f"label {given!r} names a class twice in the row {brief(row)}; correct it."
        )
    return tuple(int(number in numbers) for number in range(count))


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) == 1
