"""Features of pictures: what the denoiser sees in the middle, without any gradient.

As in diffusion features (Tang et al. 2023, arXiv:2306.03881): the output of the UNet's
middle block, at the passes by which the task measures a loss. N examples, h channels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import AdapterError
from datainf.core.task import Example
from datainf.integrations.diffusion.denoising import denoising_of
from datainf.integrations.tasks.text_to_image import TextToImage

_BATCH = 32


@torch.inference_mode()
def picture_features(
    model: Any, task: TextToImage, examples: Sequence[Example]
) -> Float[Tensor, "N h"]:
    """Average the middle of the denoiser over places and passes.

    Args:
        model: The pipeline's model, with an adapter or without; in eval mode.
        task: Makes its batches, and says the passes.
        examples: What is embedded.

    Returns:
        One vector an example, in float32 on the CPU.

    Raises:
        AdapterError: If the denoiser has no middle block: it is no UNet.
    """
    denoiser = denoising_of(model).denoiser
    middle = getattr(denoiser, "mid_block", None)
    if middle is None:
        raise AdapterError(
            "features of pictures are those of a UNet's middle block, and a "
            f"{type(denoiser).__name__} has none; leave this baseline out."
        )
    seen: list[Tensor] = []
    hook = middle.register_forward_hook(
        lambda *called: seen.append(called[-1].flatten(2).mean(dim=2).float().cpu())
    )
    found = []
    try:
        for start in range(0, len(examples), _BATCH):
            batch = task.collate(list(examples[start : start + _BATCH]))
            device = next(denoiser.parameters()).device
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            total = torch.zeros(len(batch["latents"]), 0)
            for rows, part in task.parts(batch):
                seen.clear()
                task.losses(model, part)
                if not total.shape[1]:
                    total = seen[0].new_zeros(len(total), seen[0].shape[1])
                total = total.index_add(0, rows.cpu(), seen[0])
            found.append(total / batch["passes"].shape[1])
    finally:
        hook.remove()
    return torch.cat(found)


@torch.inference_mode()
def mean_loss(model: Any, task: TextToImage, examples: Sequence[Example]) -> float:
    """Average the loss over examples.

    Args:
        model: The pipeline's model, with an adapter switched on or off; in eval mode.
        task: Says the loss.
        examples: At least one.

    Returns:
        The mean.
    """
    device = next(denoising_of(model).denoiser.parameters()).device
    total = 0.0
    for start in range(0, len(examples), _BATCH):
        batch = task.collate(list(examples[start : start + _BATCH]))
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        total += float(task.losses(model, batch).sum())
    return total / len(examples)
