"""UNets are told what Stable Diffusion and SDXL tell them."""

import pytest
import torch

from datainf.integrations.diffusion.families.unet import UNet
from tests.integrations.diffusion.families.encodings import told_in_generation
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-xl"])
def test_conditions_are_those_of_generation(family: str) -> None:
    pipeline = tiny_pipeline(family)
    told = told_in_generation(pipeline, "a cat")
    with torch.no_grad():
        found = UNet().encode(pipeline, ["a cat", "no"], (16, 16))
    torch.testing.assert_close(
        found["text"][:1], told["encoder_hidden_states"], rtol=1e-12, atol=1e-12
    )
    assert len(found["text"]) == 2
    if family == "stable-diffusion":
        assert found.keys() == {"text"}
        return
    added = told["added_cond_kwargs"]
    torch.testing.assert_close(
        found["pooled"][:1], added["text_embeds"], rtol=1e-12, atol=1e-12
    )
    assert torch.equal(found["sizes"][:1], added["time_ids"])


@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-xl"])
def test_it_says_what_the_unet_says(family: str) -> None:
    pipeline, kind = tiny_pipeline(family), UNet()
    told = told_in_generation(pipeline, "a cat")
    with torch.no_grad():
        wanted = pipeline.unet(*[told.pop(i) for i in "01"], **told)[0]
        told = told_in_generation(pipeline, "a cat")
        found = kind.predict(
            pipeline.unet,
            told["0"],
            told["1"].expand(1),
            kind.encode(pipeline, ["a cat"], (16, 16)),
        )
    assert torch.equal(found, wanted)
    assert kind.channels(pipeline.unet) == found.shape[1]
    assert kind.multiple(pipeline.unet) == 2
