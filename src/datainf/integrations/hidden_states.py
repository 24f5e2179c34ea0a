"""Embeddings: the mean hidden state of a text, what influence has to beat.

N examples, h width of the model.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.task import Example, Task

_BATCH = 50


@torch.inference_mode()
def mean_hidden_states(
    model: Any, task: Task, examples: Sequence[Example]
) -> Float[Tensor, "N h"]:
    """Average the last layer over the tokens of each example, padding left out.

    Args:
        model: A transformers model, with an adapter or without; in eval mode.
        task: Makes its batches.
        examples: What is embedded.

    Returns:
        One vector an example, in float32 on the CPU.
    """
    found = []
    for start in range(0, len(examples), _BATCH):
        batch = dict(task.collate(list(examples[start : start + _BATCH])))
        batch.pop("labels", None)
        inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
        states = model(**inputs, output_hidden_states=True).hidden_states[-1]
        kept = inputs.get("attention_mask")  # images have no padding
        kept = torch.ones(states.shape[:2]).to(states) if kept is None else kept
        mask = kept[:, :, None].to(states.dtype)  # [B, T, 1]
        found.append((states * mask).sum(dim=1) / mask.sum(dim=1))
    return torch.cat(found).float().cpu()


@torch.inference_mode()
def share_right(model: Any, task: Any, examples: Sequence[Example]) -> float:
    """Give the share of examples whose class a classifier finds.

    Args:
        model: The classifier, in eval mode.
        task: A sequence classification of one class.
        examples: With right labels.

    Returns:
        The accuracy.
    """
    right = 0
    for start in range(0, len(examples), _BATCH):
        batch = dict(task.collate(list(examples[start : start + _BATCH])))
        labels = batch.pop("labels")
        inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
        found = model(**inputs).logits.argmax(dim=1).cpu()
        right += int((found == labels.cpu()).sum())
    return right / len(examples)
