"""The model's scope: all that capture changes on a model, and its undoing on any exit.

Afterwards the model is bit-identical: weights, gradients, `requires_grad`, hooks,
train/eval mode, random state.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Freeze every parameter and switch dropout off for the scope's duration.

    Layers that checkpoint keep their training flag, since `transformers` checkpoints
    only modules in training mode; dropout rates that such a layer applies itself are
    set to zero.

    Args:
        model: The model.

    Yields:
        Nothing; the model is changed in place and restored at the end.
    """
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    rates: list[tuple[nn.Module, str, float]] = []
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.is_cuda})
    with torch.random.fork_rng(devices=devices):
        try:
            for module, _ in modes:
                checkpoints = bool(getattr(module, "gradient_checkpointing", False))
                module.training = checkpoints
                if checkpoints:
                    rates += _rates(module)
            for module, name, _ in rates:
                setattr(module, name, 0.0)
            for parameter, _ in flags:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, name, rate in rates:
                setattr(module, name, rate)
            for parameter, flag in flags:
                parameter.requires_grad_(flag)
            for module, mode in modes:
                module.training = mode


def checkpoints(model: nn.Module) -> bool:
    """Tell whether gradient checkpointing is switched on anywhere in the model."""
    return any(getattr(m, "gradient_checkpointing", False) for m in model.modules())


def _rates(module: nn.Module) -> list[tuple[nn.Module, str, float]]:
    """Find the dropout rates a module holds as plain numbers."""
    return [
        (module, name, value)
        for name, value in vars(module).items()
        if isinstance(value, float) and "drop" in name
    ]
