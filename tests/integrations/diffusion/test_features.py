"""Features of pictures: the middle block's output, averaged over places and passes."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline

if not DIFFUSERS:
    pytest.skip("diffusers cannot be imported", allow_module_level=True)

from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.denoising import Denoising
from datainf.integrations.diffusion.features import mean_loss, picture_features
from datainf.integrations.tasks.text_to_image import TextToImage

ROWS = [
    {"image": Image.effect_noise(size, 40).convert("RGB"), "text": text}
    for size, text in (((16, 16), "ab"), ((24, 16), "b"), ((16, 16), "cab"))
]


def test_features_are_the_mean_of_the_middle_block_picture_by_picture() -> None:
    pipeline = tiny_pipeline()
    model, task = Denoising(pipeline), TextToImage(pipeline, timesteps=3)
    found = picture_features(model, task, ROWS)
    seen: list[torch.Tensor] = []
    pipeline.unet.mid_block.register_forward_hook(lambda *c: seen.append(c[-1]))
    for row, features in zip(ROWS, found, strict=True):
        seen.clear()
        with torch.no_grad():
            task.losses(model, task.collate([row]))
        assert len(seen) == 3
        alone = torch.stack([one.mean(dim=(0, 2, 3)) for one in seen]).mean(dim=0)
        torch.testing.assert_close(features, alone.float(), rtol=1e-5, atol=1e-6)
    assert not np.allclose(found[0], found[2])


def test_the_mean_loss_is_that_of_the_pictures_one_by_one() -> None:
    pipeline = tiny_pipeline()
    model, task = Denoising(pipeline), TextToImage(pipeline, timesteps=2)
    with torch.no_grad():
        alone = [float(task.losses(model, task.collate([row]))) for row in ROWS]
    assert mean_loss(model, task, ROWS) == pytest.approx(np.mean(alone), rel=1e-9)


def test_a_transformer_has_no_middle_block() -> None:
    pipeline = tiny_pipeline("pixart")
    with pytest.raises(AdapterError, match="PixArtTransformer2DModel has none"):
        picture_features(Denoising(pipeline), TextToImage(pipeline), ROWS[:1])
