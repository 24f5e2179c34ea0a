"""Weights of training examples: the loss of a batch is Σ w·loss / B.

With all weights 1 this is the loss that the model trains by: the mean over the batch's
examples, or, where examples are sequences of labels, Σ w·(sum of its token losses) over
the label tokens of the batch. An example of weight 0 is removed without changing
batches, number of steps, or what the others count for. B examples of one batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Real
from numpy.typing import ArrayLike
from torch import Tensor, nn

from datainf.core.errors import DataError
from datainf.core.options import Reduction
from datainf.core.task import Example, Task
from datainf.integrations.dropout import rows_are_apart
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.token_classification import TokenClassification
from datainf.integrations.tasks.tokens import IGNORED

WEIGHTS = "datainf_weights"
"""The batch entry that holds the weights."""


class Weighted:
    """Examples, each with its weight."""

    def __init__(self, dataset: Any, weights: ArrayLike) -> None:
        """Pair examples with weights.

        Args:
            dataset: Sized and indexable.
            weights: One number an example.

        Raises:
            DataError: If there is not one finite number of at least 0 for each.
        """
        self._dataset = dataset
        self._weights = np.asarray(weights, dtype=np.float64)
        if self._weights.shape != (len(dataset),):
            raise DataError(
                f"weights must be one number an example: {len(dataset)} of them, got "
                f"shape {list(self._weights.shape)}."
            )
        if not (np.isfinite(self._weights) & (self._weights >= 0)).all():
            raise DataError("weights must be finite numbers of at least 0.")
        if not self._weights.any():
            raise DataError("weights are all 0: there is nothing to train on.")

    def __len__(self) -> int:
        """Count the examples."""
        return len(self._weights)

    def __getitem__(self, number: int) -> tuple[Example, float]:
        """Give an example with its weight."""
        return self._dataset[number], float(self._weights[number])


def collated(task: Task) -> Callable[[Sequence[Example]], dict[str, Tensor]]:
    """Make the collator of plain examples.

    Args:
        task: Makes the batches.

    Returns:
        Examples -> batch.
    """
    return lambda examples: dict(task.collate(examples))


def weighted(
    task: Task,
) -> Callable[[Sequence[tuple[Example, float]]], dict[str, Tensor]]:
    """Make the collator of examples with weights.

    Args:
        task: Makes the batches.

    Returns:
        Pairs -> batch with an entry `WEIGHTS`.
    """

    def collate(pairs: Sequence[tuple[Example, float]]) -> dict[str, Tensor]:
        batch = dict(task.collate([example for example, _ in pairs]))
        return {**batch, WEIGHTS: torch.tensor([weight for _, weight in pairs])}

    return collate


def weighted_loss(
    task: Task,
    model: nn.Module,
    inputs: Mapping[str, Tensor],
    tokens: Tensor | int | None,
) -> Float[Tensor, ""]:
    """Compute the loss of a batch with weights.

    Args:
        task: Gives one loss an example.
        model: The model in training.
        inputs: A batch, with its weights.
        tokens: Label tokens of all accumulated batches, where the Trainer counts them.

    Returns:
        Σ w·loss over the number of examples, or of label tokens.
    """
    # What training draws is drawn for all rows, so that removing some moves no other's.
    batch = drawn(
        task, {name: value for name, value in inputs.items() if name != WEIGHTS}
    )
    weights = inputs[WEIGHTS]
    kept = _needed(weights, task, model)
    passed = {
        name: value[kept] if len(value) == len(kept) else value
        for name, value in batch.items()
    }
    losses = with_reduction(task, Reduction.SUM).losses(model, passed)
    weighed = weights[kept].to(losses.dtype) * losses
    if isinstance(task, TokenClassification):
        # Its losses are means over each example's words.
        words = (batch["labels"] != IGNORED).sum(dim=1)
        return (weighed * words[kept]).sum() / words.sum()
    if not reduces(task):
        return weighed.sum() / len(weights)
    if tokens is None:
        # The first label of a language model is never predicted.
        shifts = isinstance(task, CausalLM)
        tokens = (batch["labels"][:, int(shifts) :] != IGNORED).sum()
    return weighed.sum() / tokens


def draws(task: Task) -> bool:
    """Say whether training on a task draws more than the batch: timesteps and noise."""
    return hasattr(task, "drawn")


def drawn(task: Any, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Let a task draw what a step of training draws.

    Args:
        task: Any task.
        batch: What it collated.

    Returns:
        The batch with what was drawn; the very batch where nothing is.
    """
    return task.drawn(batch) if draws(task) else batch


def _needed(
    weights: Real[Tensor, " B"], task: Task, model: nn.Module
) -> Bool[Tensor, " B"]:
    """Mark the examples that must go through the model."""
    # Those of weight 0 need not, where the others neither draw with them nor see them.
    kept = weights > 0
    if isinstance(task, CallableTask) or not rows_are_apart(model):
        return torch.ones_like(kept)
    if not kept.any():
        kept[0] = True  # a loss of 0 that still has a gradient
    return kept


def reduces(task: Task) -> bool:
    """Say whether a task chooses how token losses become one number."""
    return is_dataclass(task) and any(f.name == "reduction" for f in fields(task))


def with_reduction(task: Any, reduction: Reduction) -> Any:
    """Choose how token losses become one, where a task has that choice.

    Args:
        task: Any task.
        reduction: Mean or sum.

    Returns:
        The task with that choice; the very task where it has none.
    """
    return replace(task, reduction=reduction) if reduces(task) else task
