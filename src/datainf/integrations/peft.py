"""PEFT adapters: what they train, how they are switched on, how they are loaded.

"Trains" means what the adapter saves: PEFT's own state dictionary of the adapter,
matched to the model's parameters by storage, and the tuner's parameters of its name,
whatever `requires_grad` says now. Prompt learning saves the prompt that its encoder
makes; what trains is the encoder (`prompts.py`). An adapter that diffusers put into a
pipeline lies in several of its parts at once (`injected.py`).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import peft
from torch import Tensor, nn

from datainf.capture.scope import unpack
from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.errors import AdapterError, near
from datainf.core.layout import TUNER, Block
from datainf.core.options import Parameters, word
from datainf.integrations.diffusion.denoising import Denoising
from datainf.integrations.diffusion.injected import (
    active_in,
    adapted_parts,
    configs_of,
    injected_alone,
)
from datainf.integrations.low_rank import low_rank_layers
from datainf.integrations.prompts import (
    PROMPT_ENCODER,
    PROMPT_KEY,
    prompt_parameters,
    prompts_per_example,
)

_PREFIX = "base_model.model."
# AdaLoRA's count of ranks; a parameter, and after a cast even one with a gradient.
_RANK = "ranknum"


def adapter_of(
    model: nn.Module,
    adapter_name: str | None = None,
    parameters: Parameters | str = Parameters.ALL,
) -> Adapter:
    """Find what an adapter of a model trains.

    Args:
        model: A PEFT model, or a pipeline's `Denoising` with adapters in it.
        adapter_name: Which adapter; the active one when not given.
        parameters: `all`, or `paper`: LoRA matrices and the head's last weight only.

    Returns:
        The adapter's trained parameters in the model's order.

    Raises:
        AdapterError: If the model has no such adapter or it trains nothing.
    """
    chosen = word(Parameters, parameters, "parameters")
    unpack(model)
    inside = adapted_parts(model)
    whole = isinstance(model, peft.PeftModel)
    if not whole and not inside:
        how = (
            "pipeline.load_lora_weights(ADAPTER)"
            if isinstance(model, Denoising)
            else "peft.PeftModel.from_pretrained(model, ADAPTER)"
        )
        raise AdapterError(
            f"got a {type(model).__name__} without a PEFT adapter; load one with {how}."
        )
    name, configs = adapter_name or _only_active(model), configs_of(model)
    if name not in configs:
        raise AdapterError(f"adapter {name!r} is unknown: {near(name, list(configs))}.")
    _refuse_merged(model, name)
    config = configs[name]
    found: list[TrainedParameter] = []
    left_out: list[tuple[str, str]] = []
    holders: dict[str, Any] = {"": model} if whole else inside
    for prefix, holder in holders.items():
        if name in holder.peft_config:
            trained, besides = _match(holder, name, prefix)
            found += trained
            left_out += besides
    saved: tuple[TrainedParameter, ...] = ()
    if chosen is Parameters.PAPER:
        kept = _of_the_paper(found)
        left_out += [(t.block.name, "parameters=paper") for t in found if t not in kept]
        saved = tuple(t for t in found if t not in kept)
        found = kept
    if not found:
        asked = (
            "no LoRA matrix and no matrix of a head, and parameters=paper collects "
            "these alone; collect with parameters=all"
            if saved
            else "nothing to train; give the adapter that training saved"
        )
        raise AdapterError(
            f"adapter {name!r} of type {config.peft_type.value} has {asked}."
        )
    task_type = config.task_type
    return Adapter(
        name=name,
        parameters=tuple(found),
        saved=saved,
        left_out=tuple(left_out),
        task_type=str(getattr(task_type, "value", task_type)) if task_type else None,
        activated=partial(_activated if whole else injected_alone, model, name),
        low_rank=low_rank_layers(model, name),
    )


def _refuse_merged(model: nn.Module, name: str) -> None:
    """Refuse an adapter that lies in the base's weights, even in one layer alone."""
    merged = [
        path
        for path, module in model.named_modules()
        if name in (getattr(module, "merged_adapters", None) or ())
    ]
    if merged:
        others = f" and {len(merged) - 1} other modules" if merged[1:] else ""
        raise AdapterError(
            f"adapter {name!r} is merged into {merged[0]}{others}, so it has no "
            "gradient there; call model.unmerge_adapter() first, or unfuse_lora() of "
            "a pipeline."
        )


def _only_active(model: nn.Module) -> str:
    active = active_in(model)
    if len(active) != 1:
        raise AdapterError(
            f"{len(active)} adapters are active ({', '.join(active)}); say which one "
            "with adapter_name=."
        )
    return str(active[0])


def _match(
    model: Any, name: str, prefix: str
) -> tuple[list[TrainedParameter], list[tuple[str, str]]]:
    """Match what the adapter saves with the model's parameters, by storage."""
    saved = peft.get_peft_model_state_dict(
        model, adapter_name=name, save_embedding_layers=False
    )
    prompts = prompt_parameters(model, name) if not prefix else set()
    biases = _biases(model, name)
    by_storage: dict[tuple[Any, ...], list[str]] = {}
    for key, tensor in saved.items():
        by_storage.setdefault(_storage(tensor), []).append(key)
    found, left_out, seen = [], [], set[str]()
    for path, parameter in model.named_parameters():
        if ".original_module." in path:
            # PEFT keeps the module as it was beside the copy that it trains.
            continue
        # One storage may be saved under several keys (a head with bias="all").
        keys = [] if path in prompts else by_storage.get(_storage(parameter), [])
        if keys:
            seen.update(keys)
            found.append(_trained(prefix, min(keys, key=len), path, parameter))
        elif path.split(".")[-2:] == [_RANK, name]:
            left_out.append((path, "the rank, fixed by AdaLoRA"))
        elif owner_of(path) == name or path in prompts or path in biases:
            # Saved in another form: AdaLoRA's after pruning, a prompt's encoder.
            key = _without_name(path, name)
            found.append(_trained(prefix, key, path, parameter))
        elif parameter.requires_grad and owner_of(path) is None:
            # Unfrozen by hand beside the adapter: it trains, so it counts.
            found.append(_trained(prefix, path, path, parameter))
        elif parameter.requires_grad:
            left_out.append((path, "belongs to another adapter"))
    names = {t.block.name for t in found}
    left_out += [
        (key, "saved but never trained")
        for key in saved
        if key not in seen and key != PROMPT_KEY and prefix + _name_of(key) not in names
    ]
    return found, [(prefix + path, reason) for path, reason in left_out]


def _biases(model: Any, name: str) -> set[str]:
    """Find the biases that `bias="lora_only"` trains; peft 0.13 does not save them."""
    kind = str(getattr(model.peft_config[name], "bias", "none"))
    if not kind.endswith("_only"):
        return set()
    return {
        f"{path}.base_layer.bias"
        for path, module in model.named_modules()
        if any(
            TUNER.match(part) and name in held
            for part, held in module.named_children()
            if isinstance(held, nn.ModuleDict | nn.ParameterDict)
        )
    }


def owner_of(path: str) -> str | None:
    """Name the adapter that a tensor belongs to, if it is a tuner's own.

    Args:
        path: A parameter's or buffer's path in the model.

    Returns:
        The adapter's name; None for the base's tensors.
    """
    parts = path.split(".")
    for part, following in pairwise(parts):
        if TUNER.match(part) or part == "modules_to_save":
            return following
    return None


def _trained(
    prefix: str, key: str, path: str, parameter: nn.Parameter
) -> TrainedParameter:
    block = Block(prefix + _name_of(key), tuple(parameter.shape))
    return TrainedParameter(block, parameter, prefix + path)


def _name_of(key: str) -> str:
    """Take PEFT's wrapping out of a saved key."""
    parts = key.removeprefix(_PREFIX).split(".")
    # A wrapper around a wrapper (several target_parameters of one module) has matrices
    # of its own: there the word tells them apart.
    return ".".join(
        part
        for part, following in pairwise([*parts, ""])
        if part != "base_layer" or TUNER.match(following)
    )


def _without_name(path: str, name: str) -> str:
    """Name a parameter as PEFT saves it: without the adapter's name."""
    parts = path.split(".")
    for i, (part, following) in enumerate(pairwise(parts)):
        if following == name and (TUNER.match(part) or part == PROMPT_ENCODER):
            return ".".join(parts[: i + 1] + parts[i + 2 :])
    return path


def _storage(tensor: Tensor) -> tuple[Any, ...]:
    return (str(tensor.device), tensor.data_ptr(), tuple(tensor.shape))


def _of_the_paper(found: list[TrainedParameter]) -> list[TrainedParameter]:
    """Keep LoRA matrices, and of the rest the last weight (the head's output layer)."""
    matrix = re.compile(r"\.lora_[AB]\.")
    kept = [t for t in found if matrix.search(t.block.name)]
    head = [t for t in found if t not in kept and len(t.block.shape) > 1]
    return kept + head[-1:]


@contextmanager
def _activated(model: peft.PeftModel, name: str) -> Iterator[None]:
    """Switch one adapter on, and back to what was active."""
    before, first = list(model.active_adapters), model.active_adapter
    if before == [name]:
        with prompts_per_example(model, name):
            yield
        return
    try:
        model.set_adapter(name)
        with prompts_per_example(model, name):
            yield
    finally:
        if len(before) == 1:
            model.set_adapter(before[0])
        else:
            model.base_model.set_adapter(before)
            model.active_adapter = first
