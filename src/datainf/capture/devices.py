"""Where a model wants its batches, and how they get there."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from datainf.core.batch import BATCH_TOKENS

_CPU_TOKENS = 1024


def device_of(model: nn.Module) -> torch.device:
    """Find the device that a model's batches belong on.

    Args:
        model: The model; that of its input embeddings counts, where it has some.

    Returns:
        The device.
    """
    embeddings = input_embeddings(model)
    source = embeddings if embeddings is not None else model
    return next((p.device for p in source.parameters()), torch.device("cpu"))


def batch_tokens_on(device: torch.device) -> int:
    """Say how many padded tokens a batch has where nobody says.

    Args:
        device: Where it is run.

    Returns:
        On a CPU few, whose activations stay in its caches (`benchmarks.bench_batches`);
        elsewhere enough to fill it.
    """
    return _CPU_TOKENS if device.type == "cpu" else BATCH_TOKENS


def input_embeddings(model: nn.Module) -> nn.Module | None:
    """Find a model's input embeddings.

    Args:
        model: The model.

    Returns:
        The module; None where there is none.
    """
    find = getattr(model, "get_input_embeddings", None)
    try:
        found = find() if callable(find) else None
    except (AttributeError, NotImplementedError):
        return None
    return found if isinstance(found, nn.Module) else None


def moved(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Move a batch; tensors of inference mode become plain ones.

    Args:
        batch: What a task's `collate` made.
        device: Where it goes.

    Returns:
        The batch there.
    """
    there = {
        key: value.to(device) if isinstance(value, Tensor) else value
        for key, value in batch.items()
    }
    with torch.inference_mode(False):  # inference tensors cannot be saved for backward
        return {
            key: value.clone()
            if isinstance(value, Tensor) and value.is_inference()
            else value
            for key, value in there.items()
        }
