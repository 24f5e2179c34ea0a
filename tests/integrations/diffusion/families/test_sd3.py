"""SD3 is told, and says, what it does in generation."""

import pytest
import torch

from datainf.integrations.diffusion.families.sd3 import SD3
from tests.integrations.diffusion.families.encodings import told_in_generation
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


@pytest.mark.parametrize("t5", [True, False])
def test_it_is_told_and_says_what_it_does_in_generation(t5: bool) -> None:
    pipeline, kind = tiny_pipeline("stable-diffusion-3"), SD3()
    if not t5:
        pipeline.text_encoder_3 = pipeline.tokenizer_3 = None
    told = told_in_generation(pipeline, "a cat")
    with torch.no_grad():
        conditions = kind.encode(pipeline, ["a cat"], (16, 16))
        wanted = pipeline.transformer(**told)[0]
        found = kind.predict(
            pipeline.transformer, told["hidden_states"], told["timestep"], conditions
        )
    assert torch.equal(conditions["text"], told["encoder_hidden_states"])
    assert torch.equal(conditions["pooled"], told["pooled_projections"])
    assert torch.equal(found, wanted)
    assert kind.channels(pipeline.transformer) == found.shape[1]
    assert kind.multiple(pipeline.transformer) == 2
