"""UNets that read a prompt: Stable Diffusion 1 and 2, Stable Diffusion XL."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from datainf.integrations.diffusion.families.base import Conditions


class UNet:
    """UNet2DConditionModel; SDXL's says by its config that it reads sizes too."""

    component: ClassVar[str] = "unet"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")

    def channels(self, denoiser: Any) -> int:
        """Count the channels of a latent."""
        return int(denoiser.config.in_channels)

    def multiple(self, denoiser: Any) -> int:
        """Halved between blocks."""
        return int(2 ** (len(denoiser.config.down_block_types) - 1))

    def encode(
        self, pipeline: Any, prompts: Sequence[str], size: tuple[int, int]
    ) -> Conditions:
        """Encode as the pipeline does; SDXL is told the image's size, uncropped."""
        encoder = pipeline.text_encoder or pipeline.text_encoder_2
        device = encoder.device
        found = pipeline.encode_prompt(
            list(prompts),
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )
        if pipeline.unet.config.addition_embed_type != "text_time":
            return {"text": found[0]}
        text, _, pooled, _ = found
        ids = torch.tensor([[*size, 0, 0, *size]], dtype=pooled.dtype, device=device)
        return {"text": text, "pooled": pooled, "sizes": ids.expand(len(prompts), -1)}

    def predict(
        self,
        denoiser: nn.Module,
        noisy: Tensor,
        timestep: Tensor,
        conditions: Conditions,
    ) -> Tensor:
        """Ask the UNet."""
        added = (
            {
                "text_embeds": conditions["pooled"],
                "time_ids": conditions["sizes"],
            }
            if "sizes" in conditions
            else None
        )
        said: Tensor = denoiser(
            noisy,
            timestep,
            encoder_hidden_states=conditions["text"],
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return said
