"""PixArt: a transformer that reads a prompt by cross-attention."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from datainf.integrations.diffusion.families.base import Conditions


class PixArt:
    """PixArtTransformer2DModel, with a T5; a variance that it may say is unused."""

    component: ClassVar[str] = "transformer"
    encoders: ClassVar[tuple[str, ...]] = ("text_encoder",)

    def channels(self, denoiser: Any) -> int:
        """Count the channels of a latent."""
        return int(denoiser.config.in_channels)

    def multiple(self, denoiser: Any) -> int:
        """Cut into patches."""
        return int(denoiser.config.patch_size)

    def encode(
        self, pipeline: Any, prompts: Sequence[str], size: tuple[int, int]
    ) -> Conditions:
        """Encode as the pipeline does; large models read sizes."""
        device = pipeline.text_encoder.device
        text, mask, *_ = pipeline.encode_prompt(
            list(prompts), do_classifier_free_guidance=False, device=device
        )
        found = {"text": text, "mask": mask}
        if pipeline.transformer.use_additional_conditions:
            height, width = size
            one = {"resolution": [height, width], "aspect_ratio": [height / width]}
            for name, values in one.items():
                row = torch.tensor([values], dtype=text.dtype, device=device)
                found[name] = row.expand(len(prompts), -1)
        return found

    def predict(
        self,
        denoiser: nn.Module,
        noisy: Tensor,
        timestep: Tensor,
        conditions: Conditions,
    ) -> Tensor:
        """Ask the transformer."""
        added = {name: conditions.get(name) for name in ("resolution", "aspect_ratio")}
        said: Tensor = denoiser(
            noisy,
            encoder_hidden_states=conditions["text"],
            encoder_attention_mask=conditions["mask"],
            timestep=timestep,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return said[:, : noisy.shape[1]]
