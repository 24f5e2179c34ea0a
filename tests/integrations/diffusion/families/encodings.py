"""What a pipeline itself tells its denoiser, to compare with: seen in generation."""

import warnings
from typing import Any

import torch


def told_in_generation(
    pipeline: Any, prompt: str, pixels: int = 16, **options: Any
) -> dict[str, Any]:
    """Generate with a pipeline and keep what its denoiser was first called with.

    Args:
        pipeline: Of diffusers.
        prompt: What it is to draw.
        pixels: Height and width.
        options: Of the pipeline's call.

    Returns:
        Positional arguments by number, and keyword arguments by name.
    """
    denoiser = getattr(pipeline, "unet", None) or pipeline.transformer
    calls: list[dict[str, Any]] = []

    def keep(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls.append({**{str(i): x for i, x in enumerate(args)}, **kwargs})

    handle = denoiser.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        # Its schedulers are behind numpy's times.
        warnings.simplefilter("ignore", DeprecationWarning)
        pipeline(
            prompt,
            height=pixels,
            width=pixels,
            guidance_scale=1.0,
            num_inference_steps=2,
            output_type="latent",
            generator=torch.Generator().manual_seed(0),
            **options,
        )
    finally:
        handle.remove()
    return calls[0]
