"""PEFT adapters: what they train, how they are switched on, how they are loaded.

"Trains" means what the adapter saves: PEFT's own state dictionary of the adapter,
matched to the model's parameters by storage, whatever `requires_grad` says now.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import peft
from torch import Tensor, nn

from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.errors import AdapterError, near
from datainf.core.layout import TUNER, Block
from datainf.core.options import Parameters, word

_PREFIX = "base_model.model."


def adapter_of(
    model: nn.Module,
    adapter_name: str | None = None,
    parameters: Parameters | str = Parameters.ALL,
) -> Adapter:
    """Find what an adapter of a model trains.

    Args:
        model: A PEFT model.
        adapter_name: Which adapter; the active one when not given.
        parameters: `all`, or `paper`: LoRA matrices and the head's last weight only.

    Returns:
        The adapter's trained parameters in the model's order.

    Raises:
        AdapterError: If the model has no such adapter or it trains nothing.
    """
    chosen = word(Parameters, parameters, "parameters")
    if not isinstance(model, peft.PeftModel):
        raise AdapterError(
            f"got a {type(model).__name__} without a PEFT adapter; load one with "
            "peft.PeftModel.from_pretrained(model, ADAPTER)."
        )
    name = adapter_name or _only_active(model)
    if name not in model.peft_config:
        raise AdapterError(
            f"adapter {name!r} is unknown: {near(name, list(model.peft_config))}."
        )
    config = model.peft_config[name]
    if config.is_prompt_learning:
        raise AdapterError(
            f"adapter {name!r} is of type {config.peft_type.value}: prompt learning is "
            "not supported by this version; LoRA is."
        )
    found, left_out = _match(model, name)
    saved: tuple[TrainedParameter, ...] = ()
    if chosen is Parameters.PAPER:
        kept = _of_the_paper(found)
        left_out += [(t.block.name, "parameters=paper") for t in found if t not in kept]
        saved = tuple(t for t in found if t not in kept)
        found = kept
    if not found:
        raise AdapterError(
            f"adapter {name!r} of type {config.peft_type.value} has nothing to train."
        )
    task_type = config.task_type
    return Adapter(
        name=name,
        parameters=tuple(found),
        saved=saved,
        left_out=tuple(left_out),
        task_type=str(getattr(task_type, "value", task_type)) if task_type else None,
        activated=partial(_activated, model, name),
    )


def _only_active(model: peft.PeftModel) -> str:
    active = model.active_adapters
    if len(active) != 1:
        raise AdapterError(
            f"{len(active)} adapters are active ({', '.join(active)}); say which one "
            "with adapter_name=."
        )
    return str(active[0])


def _match(
    model: peft.PeftModel, name: str
) -> tuple[list[TrainedParameter], list[tuple[str, str]]]:
    """Match what the adapter saves with the model's parameters, by storage."""
    saved = peft.get_peft_model_state_dict(
        model, adapter_name=name, save_embedding_layers=False
    )
    by_storage: dict[tuple[Any, ...], list[str]] = {}
    for key, tensor in saved.items():
        by_storage.setdefault(_storage(tensor), []).append(key)
    found, left_out, seen = [], [], set[str]()
    for path, parameter in model.named_parameters():
        if ".original_module." in path:
            # PEFT keeps the module as it was beside the copy that it trains.
            continue
        # One storage may be saved under several keys (a head with bias="all").
        keys = by_storage.get(_storage(parameter), [])
        if keys:
            seen.update(keys)
            found.append(_trained(min(keys, key=len), path, parameter))
        elif parameter.requires_grad and _owner(path) in {None, name}:
            # Unfrozen by hand beside the adapter: it trains, so it counts.
            found.append(_trained(path, path, parameter))
        elif parameter.requires_grad:
            left_out.append((path, "belongs to another adapter"))
    left_out += [(key, "saved but never trained") for key in saved if key not in seen]
    return found, left_out


def _owner(path: str) -> str | None:
    """Name the adapter that a parameter belongs to, if it is a tuner's own."""
    parts = path.split(".")
    for part, following in pairwise(parts):
        if TUNER.match(part) or part == "modules_to_save":
            return following
    return None


def _trained(key: str, path: str, parameter: nn.Parameter) -> TrainedParameter:
    name = key.removeprefix(_PREFIX).replace(".base_layer.", ".")
    block = Block(name, tuple(parameter.shape))
    return TrainedParameter(block, parameter, path)


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
        yield
        return
    try:
        model.set_adapter(name)
        yield
    finally:
        if len(before) == 1:
            model.set_adapter(before[0])
        else:
            model.base_model.set_adapter(before)
            model.active_adapter = first
