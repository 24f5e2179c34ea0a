"""Parts of a batch: the passes that a loss is the sum of, one at a time in memory.

A task without parts has one: the batch itself. B examples of a batch, b rows of a part.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from datainf.core.task import Part, PartedTask, Task

Losses = Callable[[nn.Module, Mapping[str, Any]], Tensor]
Cut = Callable[[Mapping[str, Any]], Iterable[Part]]
"""Cuts a batch into parts whose losses, added up by row, are the batch's."""


def batch_size(batch: Mapping[str, Any]) -> int:
    """Count the examples of a batch, B."""
    return next(len(value) for value in batch.values() if isinstance(value, Tensor))


def whole(batch: Mapping[str, Any]) -> list[Part]:
    """Leave a batch in one part."""
    return [Part(torch.arange(batch_size(batch)), batch)]


def cut_of(task: Task) -> Cut:
    """Find how a task's batches are cut.

    Args:
        task: The task.

    Returns:
        Its own way, or `whole`.
    """
    return task.parts if isinstance(task, PartedTask) else whole


def losses_in_parts(
    model: nn.Module, batch: Mapping[str, Any], losses: Losses, cut: Cut = whole
) -> Float[Tensor, " B"]:
    """Compute a batch's losses part by part, without their graph.

    Args:
        model: The model.
        batch: Tensors with the examples in the first dimension.
        losses: `(model, batch) -> [B]`.
        cut: How the batch is cut.

    Returns:
        The losses.

    Raises:
        ValueError: If the batch was cut into no parts.
    """
    total: Tensor | None = None
    for rows, part in cut(batch):
        found = losses(model, part).detach()
        total = added(total, rows, found, batch_size(batch))
    if total is None:
        raise ValueError("a batch was cut into no parts.")
    return total


def added(total: Tensor | None, rows: Tensor, found: Tensor, examples: int) -> Tensor:
    """Add a part's rows to those of its batch.

    Args:
        total: What the parts before it gave, `[B, ...]`; None for the first.
        rows: Which rows of the batch the part has.
        found: What it gave, `[b, ...]`.
        examples: B.

    Returns:
        The sum, `[B, ...]`; `found` itself where one part is all.
    """
    if total is None:
        if torch.equal(rows.cpu(), torch.arange(examples)):
            return found
        total = found.new_zeros(examples, *found.shape[1:])
    return total.index_add(0, rows.to(found.device), found)
