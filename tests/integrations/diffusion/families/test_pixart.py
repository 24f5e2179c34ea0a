"""PixArt is told, and says, what it does in generation."""

import pytest
import torch

from datainf.integrations.diffusion.families.pixart import PixArt
from tests.integrations.diffusion.families.encodings import told_in_generation
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")

OWN_SIZE = {"use_resolution_binning": False}


def test_it_is_told_and_says_what_it_does_in_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline, kind = tiny_pipeline("pixart"), PixArt()
    told = told_in_generation(pipeline, "a cat", **OWN_SIZE)
    with torch.no_grad():
        conditions = kind.encode(pipeline, ["a cat"], (16, 16))
        wanted = pipeline.transformer(told.pop("0"), **told)[0]
        again = told_in_generation(pipeline, "a cat", **OWN_SIZE)
        found = kind.predict(
            pipeline.transformer, again["0"], again["timestep"], conditions
        )
    assert torch.equal(conditions["text"], told["encoder_hidden_states"])
    assert torch.equal(conditions["mask"], told["encoder_attention_mask"])
    assert torch.equal(found, wanted[:, :4])  # the rest is a variance
    assert (kind.channels(pipeline.transformer), wanted.shape[1]) == (4, 8)
    assert kind.multiple(pipeline.transformer) == 2
    # Large models read sizes too, as their pipeline writes them.
    monkeypatch.setattr(pipeline.transformer, "use_additional_conditions", True)
    large = kind.encode(pipeline, ["a cat", "b"], (16, 32))
    assert large["resolution"].tolist() == [[16, 32]] * 2
    assert large["aspect_ratio"].tolist() == [[0.5]] * 2
