"""Flux is told, and says, what it does in generation; packing is undone."""

import pytest
import torch

from datainf.integrations.diffusion.families.flux import Flux, _packed, _unpacked
from tests.integrations.diffusion.families.encodings import told_in_generation
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


def test_packing_is_that_of_diffusers_and_is_undone() -> None:
    from diffusers import FluxPipeline

    latents = torch.randn(2, 5, 6, 14, generator=torch.Generator().manual_seed(0))
    packed = _packed(latents)
    assert torch.equal(packed, FluxPipeline._pack_latents(latents, 2, 5, 6, 14))
    assert torch.equal(_unpacked(packed, 3, 7), latents)


@pytest.mark.parametrize("distilled", [True, False])
def test_it_is_told_and_says_what_it_does_in_generation(distilled: bool) -> None:
    pipeline, kind = tiny_pipeline("flux"), Flux()
    if not distilled:
        pipeline.transformer.register_to_config(guidance_embeds=False)
        embed = pipeline.transformer.time_text_embed
        told_twice = embed.forward

        def undistilled(timestep: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = told_twice(timestep, 0 * timestep, pooled)
            return result

        embed.forward = undistilled
    told = told_in_generation(pipeline, "a cat")
    assert (told["guidance"] is None) == (not distilled)
    with torch.no_grad():
        conditions = kind.encode(pipeline, ["a cat"], (16, 16))
        if distilled:
            told["guidance"] = torch.full_like(told["guidance"], 3.5)
        wanted = _unpacked(pipeline.transformer(**told)[0], 2, 2)
        noisy = _unpacked(told["hidden_states"], 2, 2)
        found = kind.predict(
            pipeline.transformer, noisy, 1000 * told["timestep"], conditions
        )
    assert torch.equal(conditions["text"], told["encoder_hidden_states"])
    assert torch.equal(conditions["pooled"], told["pooled_projections"])
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    assert kind.channels(pipeline.transformer) == found.shape[1]
    assert kind.multiple(pipeline.transformer) == 2
