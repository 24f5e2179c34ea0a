"""Adapters that diffusers put into a pipeline's parts: found, and switched on alone.

`pipeline.load_lora_weights` and `unet.add_adapter` put tuner layers into the denoiser
and the text encoders, each with a `peft_config` of its own and no PEFT model around
them. One adapter may lie in several parts, and several adapters in one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from datainf.integrations.diffusion.denoising import Denoising, holds


def adapted_parts(model: nn.Module) -> dict[str, Any]:
    """Find the parts of a pipeline with adapters in them.

    Args:
        model: Any module.

    Returns:
        `unet.` and the like -> part; none where the model is no `Denoising`.
    """
    if not isinstance(model, Denoising):
        return {}
    return {
        f"{name}.": part
        for name, part in model.parts()
        if getattr(part, "peft_config", None)
    }


def configs_of(model: Any) -> dict[str, Any]:
    """Find the adapters of a model.

    Args:
        model: A PEFT model, or a `Denoising`.

    Returns:
        Name -> PEFT config.
    """
    if isinstance(model, Denoising):
        return model.adapters
    return dict(getattr(model, "peft_config", {}))


def active_in(model: Any) -> list[str]:
    """Name the adapters of a model that are switched on."""
    return model.active if isinstance(model, Denoising) else list(model.active_adapters)


@contextmanager
def injected_alone(model: nn.Module, name: str) -> Iterator[None]:
    """Switch one adapter on and all others off, with the scales that they have.

    Args:
        model: With tuner layers in it.
        name: The adapter.

    Yields:
        Nothing; the layers are as they were afterwards.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, BaseTunerLayer)]
    before = [(list(layer.active_adapters), layer.disable_adapters) for layer in layers]
    try:
        for layer in layers:
            there = holds(layer, name)
            layer.enable_adapters(there)
            if there:
                layer.set_adapter(name)
        yield
    finally:
        for layer, (active, disabled) in zip(layers, before, strict=True):
            layer.set_adapter(active)
            layer.enable_adapters(not disabled)
