"""A pipeline's parts as one module."""

import copy

import pytest
import torch
from peft import LoraConfig
from torch import nn

from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.denoising import (
    Denoising,
    adapted,
    denoising_of,
)
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline, with_diffusion_lora

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


def test_parts_have_their_names_in_the_pipeline_and_are_the_very_ones() -> None:
    pipeline = tiny_pipeline("stable-diffusion-3")
    model = Denoising(pipeline)
    assert [name for name, _ in model.parts()] == [
        "transformer",
        "text_encoder",
        "text_encoder_2",
        "text_encoder_3",
    ]
    assert all(part is getattr(pipeline, name) for name, part in model.parts())
    assert model.denoiser is pipeline.transformer
    assert model.dtype is torch.float64
    assert "vae" not in dict(model.named_modules())
    assert set(model.config.to_dict()) > {"transformer", "text_encoder_3"}


def test_a_pipeline_without_text_encoders_is_refused() -> None:
    pipeline = tiny_pipeline()
    pipeline.text_encoder = None
    with pytest.raises(AdapterError, match="has no text encoder"):
        Denoising(pipeline)


def test_a_prompt_is_encoded_once_where_no_text_encoder_is_adapted() -> None:
    pipeline = tiny_pipeline()
    model, calls = Denoising(pipeline), []
    pipeline.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    first = model.encode(["a", "b", "a"], (16, 16))
    again = model.encode(["b", "a"], (16, 16))
    assert len(calls) == 2
    assert torch.equal(first["text"][:2], again["text"].flip(0))
    assert not first["text"].requires_grad
    model.encode(["a"], (16, 24))  # SDXL is told the size, so it counts
    assert len(calls) == 3
    assert not copy.deepcopy(model)._encoded._held


def test_an_adapted_text_encoder_is_asked_every_time_and_differentiated() -> None:
    pipeline = tiny_pipeline()
    model = denoising_of(with_diffusion_lora(pipeline, ["q_proj"]))
    assert adapted(pipeline.text_encoder)
    assert not adapted(pipeline.unet)
    assert model.encode(["a"], (16, 16))["text"].requires_grad


def test_frozen_text_encoders_are_never_in_training_mode() -> None:
    pipeline = tiny_pipeline("pixart")
    Denoising(pipeline).train()
    assert pipeline.transformer.training
    assert not pipeline.text_encoder.training
    trained = denoising_of(with_diffusion_lora(tiny_pipeline("pixart"), ["q"])).train()
    assert trained.pipeline.text_encoder.training


def test_adapters_are_told_by_name_wherever_they_lie() -> None:
    pipeline = tiny_pipeline()
    model = Denoising(pipeline)
    assert (model.adapters, model.active) == ({}, [])
    pipeline.unet.add_adapter(LoraConfig(target_modules=["to_q"]), "a")
    pipeline.text_encoder.add_adapter(LoraConfig(target_modules=["q_proj"]), "b")
    assert set(model.adapters) == {"a", "b"}
    assert set(model.active) == {"a", "b"}
    pipeline.unet.disable_adapters()
    assert model.active == ["b"]


def test_the_module_is_found_under_an_adapter_and_nowhere_else() -> None:
    model = with_diffusion_lora(tiny_pipeline())
    assert denoising_of(model) is denoising_of(denoising_of(model))
    with pytest.raises(AdapterError, match="got a Linear; give the pipeline"):
        denoising_of(nn.Linear(2, 3))


def test_what_it_is_told_takes_the_number_format_of_the_latent() -> None:
    model = Denoising(tiny_pipeline(dtype=torch.float32)).to(torch.bfloat16)
    noisy = torch.zeros(1, 4, 4, 4, dtype=torch.bfloat16)
    told = {"text": torch.zeros(1, 7, 8)}
    assert model(noisy, torch.tensor([3]), told).dtype is torch.bfloat16
