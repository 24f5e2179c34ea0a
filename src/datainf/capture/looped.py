"""The looped path: one backward pass an example. Slow, always right.

For parameters of layers without a rule, and the judge of the rules: before a run
begins, a probe of two examples is differentiated both ways. Cost: one forward and
backward an example.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from datainf.capture.parts import Cut, Losses, batch_size, whole
from datainf.capture.scaling import scale_for, scaled, unscaled
from datainf.core.adapter import TrainedParameter


def looped_gradients(
    model: nn.Module,
    batch: Mapping[str, Any],
    losses: Losses,
    parameters: Sequence[nn.Parameter],
    cut: Cut = whole,
) -> list[Tensor]:
    """Differentiate each example's loss by itself.

    Args:
        model: The model, in the mode in which it is to be differentiated.
        batch: Tensors with the examples in the first dimension.
        losses: `(model, batch) -> [B]`.
        parameters: What to differentiate by. `requires_grad` is switched on for the
            call.
        cut: How a batch is cut into passes.

    Returns:
        `[B, *shape]` for each parameter, zero where a loss does not depend on it.
    """
    rows: list[list[Tensor]] = [[] for _ in parameters]
    if not parameters:
        return []
    for i in range(batch_size(batch)):
        one = {
            key: value[i : i + 1] if isinstance(value, Tensor) else value
            for key, value in batch.items()
        }
        found = _differentiate(model, one, losses, parameters, cut)
        for row, parameter, gradient in zip(rows, parameters, found, strict=True):
            none = torch.zeros_like(unscaled(parameter, 1.0))
            row.append(none if gradient is None else gradient)
    return [torch.stack(row).detach() for row in rows]


def unused(
    model: nn.Module,
    batch: Mapping[str, Any],
    losses: Losses,
    trained: Sequence[TrainedParameter],
    cut: Cut = whole,
) -> list[TrainedParameter]:
    """Find the parameters on which no loss of a batch depends.

    Args:
        model: The model.
        batch: Tensors with the examples in the first dimension.
        losses: `(model, batch) -> [B]`.
        trained: The parameters to ask about.
        cut: How the batch is cut into passes.

    Returns:
        Those that autograd does not reach.
    """
    found = _differentiate(model, batch, losses, [t.parameter for t in trained], cut)
    return [t for t, gradient in zip(trained, found, strict=True) if gradient is None]


def _differentiate(
    model: nn.Module,
    batch: Mapping[str, Any],
    losses: Losses,
    parameters: Sequence[nn.Parameter],
    cut: Cut,
) -> tuple[Tensor | None, ...]:
    """Differentiate the summed losses, with `requires_grad` on for the call only."""
    before = [parameter.requires_grad for parameter in parameters]
    scale = scale_for(model)
    try:
        for parameter in parameters:
            parameter.requires_grad_(True)
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            _grads_set_aside(parameters),
        ):
            for _, part in cut(batch):
                total = scaled(losses(model, part), scale).sum()
                if total.requires_grad:
                    # backward, not grad: reentrant checkpointing knows backward alone.
                    total.backward()  # type: ignore[no-untyped-call]
            found = (parameter.grad for parameter in parameters)
            return tuple(None if g is None else unscaled(g, scale) for g in found)
    finally:
        for parameter, flag in zip(parameters, before, strict=True):
            parameter.requires_grad_(flag)


@contextmanager
def _grads_set_aside(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Keep `.grad` of the parameters as it was before the scope."""
    before = [parameter.grad for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.grad = None
        yield
    finally:
        for parameter, gradient in zip(parameters, before, strict=True):
            parameter.grad = gradient
