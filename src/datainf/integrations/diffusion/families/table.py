"""The families by the class of their denoiser; a new one is a file and a line."""

from collections.abc import Mapping
from typing import Any

from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.families.base import Family
from datainf.integrations.diffusion.families.flux import Flux
from datainf.integrations.diffusion.families.pixart import PixArt
from datainf.integrations.diffusion.families.sd3 import SD3
from datainf.integrations.diffusion.families.unet import UNet

FAMILIES: Mapping[str, Family] = {
    "UNet2DConditionModel": UNet(),
    "SD3Transformer2DModel": SD3(),
    "FluxTransformer2DModel": Flux(),
    "PixArtTransformer2DModel": PixArt(),
}


def family_of(pipeline: Any) -> Family:
    """Find the family of a pipeline.

    Args:
        pipeline: Of diffusers.

    Returns:
        Its family.

    Raises:
        AdapterError: If its denoiser is of none, or reads more than a noisy latent.
    """
    kinds = {
        name: type(part).__name__
        for name in ("unet", "transformer", "prior")
        if (part := getattr(pipeline, name, None)) is not None
    }
    found = [FAMILIES[kind] for kind in kinds.values() if kind in FAMILIES]
    if not found:
        named = ", ".join(kinds.values()) or "no denoiser"
        raise AdapterError(
            f"a {type(pipeline).__name__} with {named} is of no known family; known "
            f"denoisers are {', '.join(FAMILIES)}. Give its denoiser with a loss of "
            "your own."
        )
    family = found[0]
    denoiser = getattr(pipeline, family.component)
    made = pipeline.vae.config.latent_channels
    if family.channels(denoiser) != made:
        raise AdapterError(
            f"the denoiser reads {family.channels(denoiser)} channels and the VAE "
            f"makes {made}: it is told an image or mask besides (inpainting, editing), "
            "which is no text-to-image model. Give it with a loss of your own."
        )
    return family
