"""The slow twin of capture: autograd on a batch of one, parameters unfrozen by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def gradients_one_by_one(
    model: nn.Module,
    task: Any,
    examples: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, nn.Parameter],
) -> dict[str, Tensor]:
    """Differentiate each example alone: `[N, d]` for each named parameter."""
    model.eval()
    for module in model.modules():
        # As in training: in eval mode a CPU rounds what goes into 8 bits.
        module.training = type(module).__module__.startswith("bitsandbytes.")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    rows: dict[str, list[Tensor]] = {name: [] for name in parameters}
    for example in examples:
        loss = task.losses(model, task.collate([example]))
        # An expert that this example does not reach has a gradient of zero.
        found = torch.autograd.grad(
            loss.sum(), list(parameters.values()), materialize_grads=True
        )
        for name, gradient in zip(rows, found, strict=True):
            rows[name].append(gradient.flatten())
    return {name: torch.stack(row) for name, row in rows.items()}
