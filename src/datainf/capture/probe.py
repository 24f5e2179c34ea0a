"""The probe's judgement: do two ways of taking gradients agree up to rounding?

A rule differs from autograd by rounding only; a wrong one by the size of the gradient.
Bounds are relative to the block's largest row and, for blocks that hold rounding noise
alone (a key's bias has no true gradient), to the largest block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from datainf.capture.finite import nonfinite_rows
from datainf.capture.looped import looped_gradients
from datainf.capture.parts import Cut, Losses, batch_size, losses_in_parts, whole
from datainf.capture.scaling import wide
from datainf.core.adapter import TrainedParameter
from datainf.core.errors import AdapterError, NonFiniteError


@dataclass(frozen=True)
class Tolerance:
    """How far two right answers may lie apart in one number format."""

    block: float
    noise: float
    loss: float


# transformers' eager attention and some norms compute in float32 whatever the model's
# format is, so float64 models differ by that much between batches.
DOUBLE = Tolerance(block=1e-5, noise=1e-8, loss=1e-6)
SINGLE = Tolerance(block=1e-3, noise=1e-6, loss=1e-4)
# bfloat16 keeps 8 bits: padding alone moves gradients by a percent. So do activations
# in 8 bits, which bitsandbytes has on every device but a CPU in training mode.
HALF = Tolerance(block=5e-2, noise=5e-3, loss=5e-2)


def tolerance_for(model: nn.Module, *, autocast: bool) -> Tolerance:
    """Choose the tolerance by the coarsest number format the model computes in.

    Args:
        model: The model.
        autocast: Whether its layers run under autocast, the caller's or its own.

    Returns:
        The tolerance.
    """
    parameters = list(model.parameters())
    kinds = {p.dtype for p in parameters if p.is_floating_point()}
    # What quantised layers compute in, whatever surrounds them.
    inner = (getattr(module, "compute_dtype", None) for module in model.modules())
    kinds |= {kind for kind in inner if isinstance(kind, torch.dtype)}
    if any(p.dtype is torch.int8 and p.device.type != "cpu" for p in parameters):
        return HALF
    if autocast:
        return HALF
    if kinds and kinds <= {torch.float64}:
        return DOUBLE
    return SINGLE if kinds <= {torch.float64, torch.float32} else HALF


def agree(
    got: Tensor, right: Tensor, tolerance: Tolerance, *, largest: float = 0.0
) -> bool:
    """Compare per-example gradients, one example a row.

    Args:
        got: The gradients in question.
        right: The gradients that are right.
        tolerance: How far they may lie apart.
        largest: The norm of the largest block, where this is one of several.

    Returns:
        Whether they differ by rounding only.
    """
    if got.shape != right.shape:
        return False
    size = right.flatten(1).norm(dim=1).max()
    error = (got.to(right.dtype) - right).flatten(1).norm(dim=1).max()
    return bool(error <= tolerance.block * size + tolerance.noise * largest)


def refuse_coupling(
    model: nn.Module,
    batch: Mapping[str, Any],
    losses: Losses,
    tolerance: Tolerance,
    cut: Cut = whole,
) -> None:
    """Refuse a task whose loss of an example depends on the others in its batch.

    Args:
        model: The model.
        batch: The probe's examples.
        losses: `(model, batch) -> [B]`.
        tolerance: How far losses may lie apart.
        cut: How a batch is cut into passes.

    Raises:
        AdapterError: If it does.
        NonFiniteError: If a loss is NaN or infinite.
    """
    # With gradients on: reentrant checkpointing warns without.
    with torch.inference_mode(False), torch.enable_grad():
        together = losses_in_parts(model, batch, losses, cut)
        alone = torch.cat(
            [losses_in_parts(model, one, losses, cut) for one in each(batch)]
        )
    bad = {**nonfinite_rows({}, together), **nonfinite_rows({}, alone)}
    if bad:
        raise NonFiniteError(
            f"the losses of the first examples are {together.tolist()}; check the "
            "model's weights and number format, and the labels.",
            bad,
        )
    if not torch.allclose(together, alone, rtol=tolerance.loss, atol=tolerance.loss):
        raise AdapterError(
            f"the loss of an example depends on its batch: {together.tolist()} "
            f"together, {alone.tolist()} one by one; a task's losses must not be "
            "divided by anything that is counted over the batch."
        )


def refuse_nonfinite(
    trained: Sequence[TrainedParameter], gradients: Sequence[Tensor]
) -> None:
    """Refuse to judge by gradients that are no numbers.

    Args:
        trained: The parameters.
        gradients: Of each, one row an example.

    Raises:
        NonFiniteError: If one is NaN or infinite; names it.
    """
    names = (parameter.block.name for parameter in trained)
    rows = dict(zip(names, gradients, strict=True))
    bad = nonfinite_rows(rows, gradients[0].new_zeros(len(gradients[0])))
    if bad:
        row, reason = next(iter(bad.items()))
        raise NonFiniteError(
            f"number {row} of the first examples: {reason}; check the model's weights "
            "and number format.",
            bad,
        )


def refuse_padding(
    model: nn.Module,
    singles: Sequence[Mapping[str, Any]],
    losses: Losses,
    trained: Sequence[TrainedParameter],
    padded: Sequence[Tensor],
    tolerance: Tolerance,
    cut: Cut = whole,
) -> None:
    """Refuse a task or tokenizer with which padding changes an example's gradient.

    Args:
        model: The model.
        singles: Each example as a batch of its own, without padding.
        losses: `(model, batch) -> [B]`.
        trained: The parameters.
        padded: Gradients of the same examples, padded to one length.
        tolerance: How far they may lie apart.
        cut: How a batch is cut into passes.

    Raises:
        AdapterError: If padding changes them.
    """
    parameters = [t.parameter for t in trained]
    # An example may have no gradient but rounding's: the largest of all sets the scale.
    largest = float(torch.stack([row.flatten(1).norm(dim=1) for row in padded]).max())
    for i, single in enumerate(singles):
        alone = looped_gradients(model, single, losses, parameters, cut)
        given = torch.cat([wide(row[i]).flatten() for row in padded])
        right = torch.cat([wide(row).flatten() for row in alone])
        if not agree(given[None], right[None], tolerance, largest=largest):
            raise AdapterError(
                "the gradient of an example changes when it is padded: check the "
                "tokenizer's padding_side (BERT-like models and prompt learning need "
                "'right') and that the task masks padding."
            )


def each(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Cut a batch into batches of one.

    Args:
        batch: Tensors with the examples in the first dimension.

    Returns:
        One batch an example.
    """
    return [
        {
            key: value[i : i + 1] if isinstance(value, Tensor) else value
            for key, value in batch.items()
        }
        for i in range(batch_size(batch))
    ]
