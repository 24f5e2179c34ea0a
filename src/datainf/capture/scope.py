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

    Layers that checkpoint get the training flag, since `transformers` checkpoints only
    modules in training mode; dropout rates that such a layer applies itself are set to
    zero. So do layers of bitsandbytes, which know no dropout: on a CPU they round in
    eval mode what they are given (8 bits), or their weights (4 bits).

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
                module.training = checkpoints or of_bitsandbytes(module)
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


def unpack(model: nn.Module) -> None:
    """Undo what layers of bitsandbytes of 4 bits do to their weights in eval mode.

    Called without a gradient on a CPU with AVX512-BF16, they put their weights into an
    order that has no backward pass, and do so again when next called like that. Saving
    undoes it, and nothing else that is public; but bitsandbytes 0.50 leaves the scales
    in the other order, which is put right here. They keep the rounding that they got.

    Args:
        model: The model; changed in place where a layer was called in that way.
    """
    for module in model.modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is None:
            continue
        if getattr(state, "packing_format_for_cpu", False):
            module.state_dict()
        if state.absmax.ndim == 2:
            state.absmax = state.absmax.T.reshape(-1).to(torch.float32)


def of_bitsandbytes(module: nn.Module) -> bool:
    """Tell whether a layer is one of bitsandbytes, without importing it."""
    return type(module).__module__.startswith("bitsandbytes.")


def _rates(module: nn.Module) -> list[tuple[nn.Module, str, float]]:
    """Find the dropout rates a module holds as plain numbers."""
    return [
        (module, name, value)
        for name, value in vars(module).items()
        if isinstance(value, float) and "drop" in name
    ]
