"""What a tuned model says of rows: their loss and, for classes, the label it gives.

Classes: p = softmax(logits), the model's label is argmax p, and it is as sure as that
p. Of other tasks the loss alone. n rows, C classes. Cost: one forward pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from datainf.core.batch import plan_batches
from datainf.core.errors import NonFiniteError
from datainf.core.task import Example, Task
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.problems import Problem
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows.data import label_column
from datainf.workflows.retraining import query_losses
from datainf.workflows.rows import Rows

_TOKENS = 4096


@dataclass(frozen=True)
class Judgement:
    """What a model says of n rows.

    Attributes:
        losses: Of each row.
        chances: Probability of every class; None for other tasks.
        given: Number of the class that each row has; None likewise.
    """

    losses: Float[np.ndarray, " n"]
    chances: Float[np.ndarray, "n C"] | None = None
    given: Int[np.ndarray, " n"] | None = None

    @property
    def right(self) -> Float[np.ndarray, " n"] | None:
        """1 where the model gives the label that stands in the row, else 0."""
        if self.chances is None or self.given is None:
            return None
        return (self.chances.argmax(axis=1) == self.given).astype(np.float64)


def has_classes(task: Task) -> bool:
    """Say whether each row of a task has one class."""
    if isinstance(task, SequenceClassification):
        return Problem(task.problem) is Problem.SINGLE
    return isinstance(task, ImageClassification)


def judge(model: nn.Module, task: Task, rows: Rows) -> Judgement:
    """Run a model over rows.

    Args:
        model: In eval mode.
        task: What their loss is.
        rows: The rows, looked at.

    Returns:
        Losses, and probabilities where the task has classes.

    Raises:
        NonFiniteError: If a loss or probability is NaN or infinite.
    """
    if not has_classes(task):
        return Judgement(query_losses(model, task, rows))
    count = len(rows.lengths)
    losses, given = np.empty(count), np.empty(count, dtype=np.int64)
    chances: Float[np.ndarray, "n C"] = np.empty((count, 0))
    for places in plan_batches(rows.lengths, _TOKENS):
        found = predictions_of(model, task, rows.read(places))
        p = found.logits[:, 0].double().softmax(dim=1).cpu().numpy()
        if not chances.shape[1]:
            chances = np.empty((count, p.shape[1]))
        losses[places] = found.losses().double().cpu().numpy()
        given[places], chances[places] = found.labels[:, 0].cpu().numpy(), p
    broken = np.flatnonzero(~np.isfinite(losses) | ~np.isfinite(chances).all(axis=1))
    if len(broken):
        raise NonFiniteError(
            f"the model's loss of row {broken[0]} is {losses[broken[0]]}; load it in "
            "float32, or train with a lower learning_rate."
        )
    return Judgement(losses, chances, given)


@torch.no_grad()
def predictions_of(model: nn.Module, task: Any, rows: Sequence[Example]) -> Any:
    """Run a model over a few rows at once.

    Args:
        model: In eval mode.
        task: Says what the model predicts.
        rows: One batch.

    Returns:
        A distribution over the labels of each row.
    """
    device = next(model.parameters()).device
    batch = {name: value.to(device) for name, value in task.collate(rows).items()}
    return task.predictions(model, batch)


def label_writing(task: Any, dataset: Any, classes: int) -> list[Any]:
    """Say how the data write each class: a number, or a name.

    Args:
        task: The task, with classes.
        dataset: The rows.
        classes: C.

    Returns:
        For each class what stands in the first row that has it. A class that no row
            has is written as the others are: by its name where those are texts.
    """
    column = label_column(task)
    found: dict[int, Any] = {}
    for number in range(len(dataset)):
        row = dataset[number]
        found.setdefault(int(task.label_of(row)), row[column])
    if any(isinstance(value, str) for value in found.values()):
        names = task.labels or [str(c) for c in range(classes)]
        return [found.get(c, names[c]) for c in range(classes)]
    return [found.get(c, c) for c in range(classes)]
