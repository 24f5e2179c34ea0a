"""Denoising: the parts of a pipeline that an adapter may train, as one module.

    unet or transformer · text_encoder · text_encoder_2 · text_encoder_3

under their names in the pipeline, so that blocks are called as diffusers calls them.
The VAE is no part of it: it only makes latents. B examples, C × h × w a latent.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Real
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn

from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.families.base import Conditions
from datainf.integrations.diffusion.families.table import family_of
from datainf.integrations.diffusion.kept import Kept

_ENCODED = 2**29
"""Most bytes of encoded prompts that are kept, on the CPU."""
_NO_CHOICE = ("transformers_version", "dtype", "torch_dtype")


class Denoising(nn.Module):
    """A pipeline's denoiser and text encoders.

    Attributes:
        pipeline: Of diffusers; its parts are the very ones of this module.
        family: How they work together.
    """

    main_input_name = "latents"

    def __init__(self, pipeline: Any) -> None:
        """Take the parts; nothing is copied.

        Args:
            pipeline: A text-to-image pipeline of diffusers.

        Raises:
            AdapterError: If it is of no known family, or has no text encoder.
        """
        super().__init__()
        self.family = family_of(pipeline)
        self.pipeline = pipeline
        self.name_or_path = str(getattr(pipeline, "name_or_path", "") or "")
        self._encoded = Kept(_ENCODED)
        self.add_module(self.family.component, getattr(pipeline, self.family.component))
        for name in self.family.encoders:
            encoder = getattr(pipeline, name, None)
            if encoder is not None:
                self.add_module(name, encoder)
        if not self.encoders:
            raise AdapterError(
                f"the {type(pipeline).__name__} has no text encoder, and prompts must "
                "be encoded; load it whole."
            )

    @property
    def denoiser(self) -> nn.Module:
        """The UNet or transformer."""
        return self.get_submodule(self.family.component)

    @property
    def encoders(self) -> list[nn.Module]:
        """The text encoders that are there."""
        return [part for name, part in self.parts() if name != self.family.component]

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the denoiser."""
        return next(self.denoiser.parameters()).dtype

    @property
    def config(self) -> "_Config":
        """What the parts say of themselves, for fingerprints and for PEFT."""
        return _Config(self)

    @property
    def adapters(self) -> dict[str, Any]:
        """Adapters in the parts by name, each with its config in the first of them."""
        found: dict[str, Any] = {}
        for _, part in self.parts():
            found = {**getattr(part, "peft_config", {}), **found}
        return found

    @property
    def active(self) -> list[str]:
        """Adapters that take part in what the pipeline makes now, in any part."""
        return list(
            dict.fromkeys(
                name
                for layer in self.modules()
                if isinstance(layer, BaseTunerLayer) and not layer.disable_adapters
                for name in layer.active_adapters
                if holds(layer, name)
            )
        )

    def parts(self) -> list[tuple[str, nn.Module]]:
        """List the parts by their names in the pipeline."""
        return [(name, part) for name, part in self.named_children()]

    def train(self, mode: bool = True) -> "Denoising":
        """Switch to training; frozen text encoders stay as they answer prompts.

        Args:
            mode: Whether to train.

        Returns:
            The module.
        """
        super().train(mode)
        for encoder in self.encoders:
            if not adapted(encoder):
                encoder.eval()
        return self

    def encode(self, prompts: Sequence[str], size: tuple[int, int]) -> Conditions:
        """Encode prompts; where no text encoder is adapted, each of them once.

        Args:
            prompts: B of them.
            size: Height and width of their images, in pixels.

        Returns:
            What the denoiser is told, first dimension B; differentiable where a text
            encoder is adapted.
        """
        if any(map(adapted, self.encoders)):
            return self.family.encode(self.pipeline, prompts, size)
        rows = [
            self._encoded.get((prompt, size), partial(self._one, prompt, size))
            for prompt in prompts
        ]
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def _one(self, prompt: str, size: tuple[int, int]) -> Conditions:
        with torch.inference_mode(False), torch.no_grad():
            found = self.family.encode(self.pipeline, [prompt], size)
        return {name: value.cpu() for name, value in found.items()}

    def forward(
        self,
        noisy: Float[Tensor, "B C h w"],
        timestep: Real[Tensor, " B"],
        conditions: Conditions,
    ) -> Float[Tensor, "B C h w"]:
        """Ask the denoiser what it sees.

        Args:
            noisy: Latents with noise.
            timestep: As the scheduler numbers it.
            conditions: What `encode` made.

        Returns:
            What it says: noise, velocity, or latent.
        """
        there = {
            name: value.to(noisy.device, noisy.dtype)
            if value.is_floating_point()
            else value.to(noisy.device)
            for name, value in conditions.items()
        }
        return self.family.predict(self.denoiser, noisy, timestep, there)


class _Config:
    """The configurations of a module's parts, as transformers' models have one."""

    def __init__(self, model: Denoising) -> None:
        self._name_or_path = model.name_or_path
        self._parts = {name: choices_of(part) for name, part in model.parts()}

    def to_dict(self) -> dict[str, Any]:
        """Give them as plain values."""
        return {"model_type": "denoising", **self._parts}


def choices_of(part: Any) -> dict[str, Any]:
    """Read what a part of a pipeline says of itself, not where it lies or who wrote it.

    Args:
        part: A model of diffusers or transformers.

    Returns:
        The choices in its configuration.
    """
    config = part.config
    values = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    return {
        key: value
        for key, value in values.items()
        if not key.startswith("_") and key not in _NO_CHOICE
    }


def holds(layer: BaseTunerLayer, name: str) -> bool:
    """Tell whether a tuner's layer has an adapter, switched on or not.

    Args:
        layer: The layer; what is active in it need not be in it.
        name: The adapter.

    Returns:
        Whether it has matrices of that name.
    """
    return any(name in getattr(layer, kind, {}) for kind in layer.adapter_layer_names)


def adapted(module: nn.Module) -> bool:
    """Tell whether a module has layers of a tuner in it.

    Args:
        module: Any module.

    Returns:
        Whether some adapter, active or not, sits in it.
    """
    return any(
        isinstance(part, BaseTunerLayer | ModulesToSaveWrapper)
        for part in module.modules()
    )


def denoising_of(model: nn.Module) -> Denoising:
    """Find the pipeline's module under an adapter.

    Args:
        model: It, or a PEFT model around it.

    Returns:
        The module.

    Raises:
        AdapterError: If the model is none of a pipeline.
    """
    inner = getattr(model, "get_base_model", lambda: model)()
    if isinstance(inner, Denoising):
        return inner
    raise AdapterError(
        f"text-to-image needs the model of a pipeline, got a {type(inner).__name__}; "
        "give the pipeline of diffusers itself, with its LoRA loaded."
    )
