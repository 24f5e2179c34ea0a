"""Pictures of prompts: by their seed alone, with nothing changed on the pipeline."""

import numpy as np
import pytest
import torch

from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.denoising import Denoising
from datainf.integrations.diffusion.generated import generated
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


def test_a_picture_follows_from_its_prompt_and_seed_alone() -> None:
    pipeline = tiny_pipeline(dtype=torch.float32)
    pipeline.scheduler.config["num_train_timesteps"] = 1000
    model, told = Denoising(pipeline).train(), list[int]()
    state = torch.get_rng_state()
    scheduler = pipeline.scheduler
    first, other = generated(model, ["a", "b"], seed=3, side=16, on_picture=told.append)
    assert told == [1, 1]
    assert first.size == (16, 16)
    assert not np.array_equal(np.array(first), np.array(other))
    (again,) = generated(model, ["a"], seed=3, side=16)
    assert np.array_equal(np.array(first), np.array(again))
    (moved,) = generated(model, ["a"], seed=4, side=16)
    assert not np.array_equal(np.array(first), np.array(moved))
    assert pipeline.scheduler is scheduler
    assert scheduler.num_inference_steps is None
    assert pipeline.unet.training
    assert torch.equal(state, torch.get_rng_state())


def test_a_pipeline_that_fails_names_the_prompt() -> None:
    model = Denoising(tiny_pipeline(dtype=torch.float32))
    with pytest.raises(AdapterError, match="cannot draw 'a': `height` and `width`"):
        next(iter(generated(model, ["a"], side=7)))


def test_a_picture_that_was_blacked_out_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = tiny_pipeline(dtype=torch.float32)
    monkeypatch.setattr(
        pipeline.vae, "decode", lambda z, **_: (-9 * z.new_ones(z.shape),)
    )
    with pytest.raises(AdapterError, match="picture of 'a' is black all over: the"):
        next(iter(generated(Denoising(pipeline), ["a"], side=16)))
