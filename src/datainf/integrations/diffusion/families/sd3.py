"""Stable Diffusion 3: a transformer over text and latent together."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from datainf.integrations.diffusion.families.base import Conditions


class SD3:
    """SD3Transformer2DModel, with two CLIPs and a T5 that may be missing."""

    component: ClassVar[str] = "transformer"
    encoders: ClassVar[tuple[str, ...]] = (
        "text_encoder",
        "text_encoder_2",
        "text_encoder_3",
    )

    def channels(self, denoiser: Any) -> int:
        """Count the channels of a latent."""
        return int(denoiser.config.in_channels)

    def multiple(self, denoiser: Any) -> int:
        """Cut into patches."""
        return int(denoiser.config.patch_size)

    def encode(
        self,
        pipeline: Any,
        prompts: Sequence[str],
        size: tuple[int, int],  # noqa: ARG002 - it is not told the size
    ) -> Conditions:
        """Encode as the pipeline does."""
        text, _, pooled, _ = pipeline.encode_prompt(
            list(prompts),
            prompt_2=None,
            prompt_3=None,
            device=pipeline.text_encoder.device,
            do_classifier_free_guidance=False,
        )
        return {"text": text, "pooled": pooled}

    def predict(
        self,
        denoiser: nn.Module,
        noisy: Tensor,
        timestep: Tensor,
        conditions: Conditions,
    ) -> Tensor:
        """Ask the transformer."""
        said: Tensor = denoiser(
            hidden_states=noisy,
            timestep=timestep,
            encoder_hidden_states=conditions["text"],
            pooled_projections=conditions["pooled"],
            return_dict=False,
        )[0]
        return said
