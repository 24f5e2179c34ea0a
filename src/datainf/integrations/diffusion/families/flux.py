"""Flux: a transformer over text and latent, whose 2 × 2 places are packed into one."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from datainf.integrations.diffusion.families.base import Conditions

_SIDE = 2
_GUIDANCE = 3.5
"""What diffusers' training scripts tell a guidance-distilled model."""


class Flux:
    """FluxTransformer2DModel, with a CLIP's pooled output and a T5."""

    component: ClassVar[str] = "transformer"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")

    def channels(self, denoiser: Any) -> int:
        """Count the channels of a latent; four places are packed into one."""
        return int(denoiser.config.in_channels) // _SIDE**2

    def multiple(self, denoiser: Any) -> int:  # noqa: ARG002 - the same for all
        """Packed two by two."""
        return _SIDE

    def encode(
        self,
        pipeline: Any,
        prompts: Sequence[str],
        size: tuple[int, int],  # noqa: ARG002 - it is not told the size
    ) -> Conditions:
        """Encode as the pipeline does."""
        text, pooled, _ = pipeline.encode_prompt(
            list(prompts), device=pipeline.text_encoder.device
        )
        return {"text": text, "pooled": pooled}

    def predict(
        self,
        denoiser: nn.Module,
        noisy: Tensor,
        timestep: Tensor,
        conditions: Conditions,
    ) -> Tensor:
        """Ask the transformer; it counts timesteps from 0 to 1."""
        height, width = (n // _SIDE for n in noisy.shape[2:])
        text = conditions["text"]
        config: Any = denoiser.config
        guidance = noisy.new_full((len(noisy),), _GUIDANCE)
        said = denoiser(
            hidden_states=_packed(noisy),
            timestep=timestep.to(noisy.dtype) / 1000,
            guidance=guidance if config.guidance_embeds else None,
            pooled_projections=conditions["pooled"],
            encoder_hidden_states=text,
            txt_ids=text.new_zeros(text.shape[1], 3),
            img_ids=_places(height, width).to(text),
            return_dict=False,
        )[0]
        return _unpacked(said, height, width)


def _packed(latents: Tensor) -> Tensor:
    """Put 2 × 2 places into one: `[B, C, h, w]` -> `[B, h/2·w/2, 4C]`."""
    blocks = latents.unfold(2, _SIDE, _SIDE).unfold(3, _SIDE, _SIDE)
    return blocks.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def _unpacked(packed: Tensor, height: int, width: int) -> Tensor:
    """Undo `_packed`."""
    blocks = packed.view(len(packed), height, width, -1, _SIDE, _SIDE)
    return blocks.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def _places(height: int, width: int) -> Tensor:
    """Number rows and columns: `[h·w, 3]`, the first number unused."""
    grid = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    return nn.functional.pad(grid, (1, 0)).float()
