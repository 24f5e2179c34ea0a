"""From image to latent, as the pipelines of diffusers and their training scripts do."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datainf.core.errors import DataError
from datainf.integrations.diffusion.latents import fitted, latent_of
from tests.tiny_diffusion import DIFFUSERS, tiny_images, tiny_pipeline

needs = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


def drawn(width: int, height: int) -> Image.Image:
    image: Image.Image = tiny_images([(width, height)])[0]["image"]
    return image


def test_an_image_keeps_its_size_less_what_is_over() -> None:
    image = drawn(37, 26)
    found = fitted(image, 8, None)
    assert found.size == (32, 24)
    assert np.array_equal(np.array(found), np.array(image)[1:25, 2:34])


@pytest.mark.parametrize("size", [(64, 32), (32, 64), (31, 17), (16, 16)])
def test_a_resolution_scales_the_shorter_side_and_takes_the_middle(
    size: tuple[int, int],
) -> None:
    found = fitted(drawn(*size), 8, 16)
    assert found.size == (16, 16)
    if size == (64, 32):
        half = drawn(*size).resize((32, 16), Image.Resampling.BILINEAR)
        assert np.array_equal(np.array(found), np.array(half)[:, 8:24])


def test_an_image_of_less_than_one_place_is_refused() -> None:
    with pytest.raises(DataError, match="7 × 40 is smaller than the 8 pixels"):
        fitted(drawn(7, 40), 8, None)


@needs
@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-3"])
def test_a_latent_is_what_the_pipeline_decodes(family: str) -> None:
    vae, image = tiny_pipeline(family).vae, drawn(24, 16)
    found = latent_of(vae, image)
    assert found.shape == (vae.config.latent_channels, 4, 6)
    assert found.dtype == torch.float64
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        mode = vae.encode(pixels.double()).latent_dist.mode()[0]
    shift = vae.config.shift_factor or 0
    torch.testing.assert_close(found / vae.config.scaling_factor + shift, mode)


@needs
def test_means_and_spreads_of_channels_are_taken_out() -> None:
    vae, image = tiny_pipeline().vae, drawn(16, 16)
    plain = latent_of(vae, image)
    mean, std = [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]
    vae.register_to_config(latents_mean=mean, latents_std=std)
    wide = [torch.tensor(x, dtype=torch.float64).view(4, 1, 1) for x in (mean, std)]
    torch.testing.assert_close(
        latent_of(vae, image), (plain / 0.7 - wide[0]) / wide[1] * 0.7
    )


@needs
def test_a_vae_that_overflows_in_half_precision_computes_in_single() -> None:
    vae: Any = tiny_pipeline(dtype=torch.float32).vae
    wanted = latent_of(vae, drawn(16, 16))
    vae.to(torch.float16).register_to_config(force_upcast=True)
    found = latent_of(vae, drawn(16, 16))
    assert vae.dtype == torch.float16
    torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-3)


@needs
def test_a_tiny_autoencoder_has_latents_and_no_distribution() -> None:
    from diffusers import AutoencoderTiny

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = AutoencoderTiny(
            encoder_block_out_channels=(4, 4),
            decoder_block_out_channels=(4, 4),
            num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1),
        ).eval()
    found = latent_of(vae, drawn(16, 16))
    assert found.shape[0] == vae.config.latent_channels
