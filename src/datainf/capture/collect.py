"""Collect one shard: plan batches, run them, halve the budget when memory runs out.

n examples of the shard, d parameters of a block.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.capture.finite import nonfinite_rows
from datainf.capture.session import CaptureSession
from datainf.core.batch import plan_batches
from datainf.core.errors import MemoryLimitError
from datainf.core.factors import FactorSums
from datainf.core.task import Batch, Example, Task


@dataclass(frozen=True)
class ShardGradients:
    """What one shard's examples gave.

    Attributes:
        gradients: Block -> `[n, d]`, rows in the order of the examples.
        losses: `[n]`.
    """

    gradients: dict[str, Float[Tensor, "n _"]]
    losses: Float[Tensor, " n"]


class Nonfinite(NamedTuple):
    """An example whose loss or gradient is NaN or infinite.

    Attributes:
        position: Its place among the shard's examples.
        reason: Which number of it.
        alone: Whether it is so by itself, and not only beside others in a batch.
    """

    position: int
    reason: str
    alone: bool


def collect_shard(  # noqa: PLR0913 - three of the ten only report
    session: CaptureSession,
    task: Task,
    examples: Sequence[Example],
    *,
    lengths: Sequence[int],
    budget: int,
    halved_at: Sequence[int] = (),
    factors: FactorSums | None = None,
    on_halving: Callable[[int], None] = lambda _: None,
    on_batch: Callable[[int], None] = lambda _: None,
    on_nonfinite: Callable[[Nonfinite], None] = lambda _: None,
) -> ShardGradients:
    """Take the gradients of one shard's examples.

    Args:
        session: An entered capture session.
        task: Makes the batches.
        examples: The shard's examples, n of them.
        lengths: Tokens of each.
        budget: Most padded tokens in a batch.
        halved_at: Batches at which memory ran out in an earlier try, replayed.
        factors: Gets the Kronecker sums of the shard's tokens.
        on_halving: Called with the batch number when memory runs out, before going on.
        on_batch: Called with the number of examples done after each batch.
        on_nonfinite: Called for each example that is no number, right after its batch;
            its row holds what came.

    Returns:
        Gradients and losses in the order of the examples.

    Raises:
        MemoryLimitError: If a single example does not fit.
        MemoryError: The same, by the name of the built-in.
        RuntimeError: If the model fails for another reason; passed on as it came.
    """
    halvings = list(halved_at)
    rows: dict[str, Tensor] = {}
    losses = torch.empty(0)
    number = 0
    plan = plan_batches(lengths, budget, halvings)
    while number < len(plan):
        positions = plan[number]
        batch = task.collate([examples[i] for i in positions])
        found = _try(session, batch, factors)
        if found is None:
            if len(positions) == 1:
                raise MemoryLimitError(
                    f"one example of {lengths[positions[0]]} tokens does not fit into "
                    "memory; lower the task's max_length or switch gradient "
                    "checkpointing on."
                )
            halvings.append(number)
            on_halving(number)
            plan = plan_batches(lengths, budget, halvings)
            continue
        gradients, batch_losses = found
        if not rows:
            rows = {
                k: g.new_empty(len(examples), g.shape[1]) for k, g in gradients.items()
            }
            losses = batch_losses.new_empty(len(examples))
        for name, gradient in gradients.items():
            rows[name][positions] = gradient
        losses[positions] = batch_losses
        for row, reason in nonfinite_rows(gradients, batch_losses).items():
            one = examples[positions[row]]
            alone = len(positions) == 1 or _nonfinite_alone(session, task, one)
            on_nonfinite(Nonfinite(positions[row], reason, alone))
        on_batch(len(positions))
        number += 1
    return ShardGradients(rows, losses)


def _nonfinite_alone(session: CaptureSession, task: Task, example: Example) -> bool:
    """Say whether an example is no number by itself, without others in its batch."""
    return bool(nonfinite_rows(*session.gradients(task.collate([example]))))


def _try(
    session: CaptureSession, batch: Batch, factors: FactorSums | None
) -> tuple[dict[str, Tensor], Tensor] | None:
    """Run one batch; None when memory ran out, with what it held given back."""
    try:
        return session.gradients(batch, factors)
    except (RuntimeError, MemoryError) as error:
        if not _out_of_memory(error):
            raise
    # Only here, outside the handler, has the traceback let go of the batch's tensors.
    _free()
    return None


def _out_of_memory(error: BaseException) -> bool:
    """Recognise the ways in which devices say that memory ran out."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    signs = ("can't allocate memory", "out of memory", "alloc_failed")
    return any(sign in text.lower() for sign in signs)


def _free() -> None:
    """Give memory back before the next try."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
