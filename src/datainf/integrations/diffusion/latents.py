"""From image to latent: the size that training gave it, then through the VAE.

As diffusers' training scripts, less what is random there: RGB, the shorter side brought
to `resolution`, the middle cut out, values from -1 to 1; of the VAE's distribution its
mode, scaled and shifted as the pipeline does. One image at a time, so that a latent
does not depend on others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image


def fitted(image: "Image", multiple: int, resolution: int | None) -> "Image":
    """Bring an image to the size at which it is learned.

    Args:
        image: In RGB.
        multiple: What height and width, in pixels, must be multiples of.
        resolution: Both of them, after the shorter side was scaled to it; None keeps
            the image's own size, less what is over the last multiple.

    Returns:
        The middle of the image.

    Raises:
        DataError: If nothing is left.
    """
    from PIL import Image as pil  # noqa: N813 - a module with a class's name

    if resolution is not None:
        scale = resolution / min(image.size)
        sides = [max(resolution, round(scale * side)) for side in image.size]
        image = image.resize((sides[0], sides[1]), pil.Resampling.BILINEAR)
        width = height = resolution
    else:
        width, height = (side // multiple * multiple for side in image.size)
    if not (width and height):
        raise DataError(
            f"an image of {image.width} × {image.height} is smaller than the "
            f"{multiple} pixels that the model needs each way; take it out, or give "
            "task.resolution."
        )
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def latent_of(vae: Any, image: "Image") -> Float[Tensor, "C h w"]:
    """Encode one image.

    Args:
        vae: Of a pipeline.
        image: Fitted.

    Returns:
        Its latent, on the CPU, in float32, or float64 for such a VAE.
    """
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
    with torch.inference_mode(False), torch.no_grad(), _wide(vae):
        scaled = (pixels.double() / 127.5 - 1).to(vae.device, vae.dtype)
        found = vae.encode(scaled)
        if hasattr(found, "latent_dist"):
            latent = found.latent_dist.mode()
        else:
            latent = found.latents
        latent = _standard(vae.config, latent)
    wide = torch.promote_types(latent.dtype, torch.float32)
    return latent[0].to("cpu", wide)


def _standard(config: Any, latent: Tensor) -> Tensor:
    """Bring latents to about unit variance, as the pipeline's denoiser knows them."""
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is not None and std is not None:
        shape = (1, -1, 1, 1)
        latent = (latent - latent.new_tensor(mean).view(shape)) / latent.new_tensor(
            std
        ).view(shape)
    else:
        latent = latent - (config.get("shift_factor") or 0.0)
    return latent * config.get("scaling_factor", 1.0)


@contextmanager
def _wide(vae: Any) -> Iterator[None]:
    """Let a VAE that overflows in half precision (SDXL's) compute in float32."""
    narrow = vae.dtype
    upcast = narrow == torch.float16 and bool(vae.config.get("force_upcast", False))
    if upcast:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if upcast:
            vae.to(narrow)
