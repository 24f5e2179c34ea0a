"""Pictures that a pipeline makes of prompts, with its adapter: queries to explain.

Each prompt by itself, from noise drawn on the CPU by one seed, so that a picture does
not depend on the others, nor on the machine beyond rounding.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.denoising import denoising_of
from datainf.integrations.diffusion.pipelines import quiet

if TYPE_CHECKING:
    from PIL.Image import Image


def generated(
    model: nn.Module,
    prompts: Sequence[str],
    *,
    seed: int = 0,
    side: int | None = None,
    on_picture: Callable[[int], None] = lambda _: None,
) -> Iterator["Image"]:
    """Make a picture of each prompt.

    Args:
        model: A `Denoising`, or a PEFT model around one, with the adapter switched on.
        prompts: What to draw.
        seed: Of the noise that each picture begins as.
        side: Pixels each way; the pipeline's own when None.
        on_picture: Called with 1 after each.

    Yields:
        The pictures, in order.

    Raises:
        AdapterError: If the pipeline fails on a prompt, or its picture is black.
    """
    pipeline: Any = denoising_of(model).pipeline
    size = {} if side is None else {"height": side, "width": side}
    for prompt in prompts:
        # Generation leaves a scheduler set to its own steps.
        scheduler = pipeline.scheduler
        pipeline.scheduler = copy.deepcopy(scheduler)
        modes = [(module, module.training) for module in model.modules()]
        try:
            model.eval()
            with quiet(), torch.no_grad():
                made = pipeline(
                    prompt, generator=torch.Generator().manual_seed(seed), **size
                )
        except (RuntimeError, ValueError) as error:
            raise AdapterError(
                f"the pipeline cannot draw {prompt!r:.80}: {error}"
            ) from error
        finally:
            pipeline.scheduler = scheduler
            for module, mode in modes:
                module.training = mode
        picture = made.images[0]
        if picture.convert("L").getextrema() == (0, 0):
            raise AdapterError(
                f"the picture of {prompt!r:.80} is black all over: the pipeline's "
                "safety checker hid it, or its VAE overflowed in float16; load the "
                "pipeline with safety_checker=None, or in float32, or give another "
                "seed."
            )
        on_picture(1)
        yield picture
