"""LoRA's linear layers, as far as they are the plain formula and nothing else."""

from functools import partial
from typing import Any

from peft.tuners.lora.layer import Linear
from torch import nn

from datainf.core.adapter import LowRankLayer

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")


def low_rank_layers(model: nn.Module, name: str) -> tuple[LowRankLayer, ...]:
    """Find the layers of an adapter that compute x Wᵀ + b + s (x Aᵀ) Bᵀ.

    DoRA and other variants, trained biases, quantised, transposed or wrapped weights
    and layers that somebody watches or has given another forward are none.

    Args:
        model: The model.
        name: The adapter.

    Returns:
        They, in the model's order.
    """
    found = []
    layers: list[Any] = [m for m in model.modules() if type(m) is Linear]
    for layer in layers:
        if name in layer.lora_A and _is_plain(layer, name):
            found.append(
                LowRankLayer(
                    layer,
                    layer.base_layer,
                    layer.lora_A[name],
                    layer.lora_B[name],
                    float(layer.scaling[name]),
                    partial(_runs_plainly, layer, name),
                )
            )
    return tuple(found)


def _is_plain(layer: Any, name: str) -> bool:
    """Look at what does not change while gradients are taken."""
    parts = (layer.base_layer, layer.lora_A[name], layer.lora_B[name])
    return (
        all(type(part) is nn.Linear and not _is_touched(part) for part in parts)
        # Weights of another class (sharded, quantised in place) have sums of their own.
        and all(type(part.weight) is nn.Parameter for part in parts)
        and not _is_touched(layer, hooks=False)
        and not _is_touched(layer.lora_dropout[name])
        and name not in getattr(layer, "lora_variant", {})
        and not getattr(layer, "use_dora", {}).get(name, False)
        and parts[1].bias is None
        and parts[2].bias is None
        and not layer.fan_in_fan_out
        and len({part.weight.dtype for part in parts}) == 1
    )


def _is_touched(part: nn.Module, *, hooks: bool = True) -> bool:
    """Tell whether calling a module does more than its class says."""
    watched = hooks and any(getattr(part, held) for held in _HOOKS)
    return watched or "forward" in vars(part) or hasattr(part, "parametrizations")


def _runs_plainly(layer: Any, name: str) -> bool:
    """Look at what a model's own code may switch between calls."""
    return (
        not layer.disable_adapters
        and not layer.merged
        and list(layer.active_adapters) == [name]
        and not layer.lora_dropout[name].training
    )
