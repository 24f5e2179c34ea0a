"""Adapters that diffusers put into a pipeline: found whole, switched on alone."""

import warnings
from typing import Any

import peft
import pytest
import torch
from peft import LoraConfig
from torch import nn

from datainf.capture.session import CaptureSession
from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.denoising import Denoising
from datainf.integrations.diffusion.injected import (
    active_in,
    adapted_parts,
    configs_of,
    injected_alone,
)
from datainf.integrations.fingerprint import hash_adapter
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.text_to_image import TextToImage
from tests.reference_gradients import gradients_one_by_one
from tests.tiny_diffusion import DIFFUSERS, tiny_images, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


def two_adapters() -> tuple[Any, Denoising]:
    """`a` in UNet and text encoder, `b` in the UNet alone; both active, weighted."""
    pipeline = tiny_pipeline()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        torch.manual_seed(0)

        def lora(*targets: str) -> LoraConfig:
            return LoraConfig(
                r=2, target_modules=list(targets), init_lora_weights=False
            )

        pipeline.unet.add_adapter(lora("to_q", "to_v"), "a")
        pipeline.unet.add_adapter(lora("to_q"), "b")
        pipeline.text_encoder.add_adapter(lora("q_proj"), "a")
    pipeline.set_adapters(["a", "b"], [0.7, 0.3])
    return pipeline, Denoising(pipeline).double()


def test_an_adapter_is_found_in_every_part_it_lies_in() -> None:
    _, model = two_adapters()
    adapter = adapter_of(model, "a")
    parts = {name.split(".")[0] for name in adapter.layout.names}
    assert parts == {"unet", "text_encoder"}
    assert {t.path for t in adapter.parameters} <= dict(model.named_parameters()).keys()
    assert {why for _, why in adapter.left_out} == {"belongs to another adapter"}
    assert [*adapted_parts(model)] == ["unet.", "text_encoder."]
    assert set(configs_of(model)) == {"a", "b"}
    assert adapter_of(model, "b").layout.names[0].startswith("unet.")


def test_its_gradients_are_those_of_the_adapter_alone_at_its_scale() -> None:
    pipeline, model = two_adapters()
    task, rows = TextToImage(pipeline, timesteps=2), tiny_images()
    adapter = adapter_of(model, "a")
    before = task.losses(model, task.collate(rows))
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        found, losses = session.gradients(task.collate(rows))
    assert torch.equal(before, task.losses(model, task.collate(rows)))
    pipeline.set_adapters(["a"], [0.7])
    alone = task.losses(model, task.collate(rows))
    torch.testing.assert_close(losses, alone.detach())
    assert not torch.allclose(before, alone)
    named = {t.block.name: t.parameter for t in adapter.parameters}
    wanted = gradients_one_by_one(model, task, rows, named)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-14)


def test_everything_is_as_it_was_whatever_was_switched_off() -> None:
    pipeline, model = two_adapters()
    pipeline.unet.disable_adapters()
    assert active_in(model) == ["a"]
    with injected_alone(model, "b"):
        assert active_in(model) == ["b"]
    assert active_in(model) == ["a"]
    pipeline.unet.enable_adapters()
    assert set(active_in(model)) == {"a", "b"}


def test_several_active_adapters_need_a_name_and_a_wrong_one_is_told() -> None:
    _, model = two_adapters()
    with pytest.raises(AdapterError, match="2 adapters are active"):
        adapter_of(model)
    with pytest.raises(AdapterError, match="'c' is unknown"):
        adapter_of(model, "c")


def test_a_pipeline_without_a_lora_or_with_a_fused_one_is_refused() -> None:
    with pytest.raises(AdapterError, match=r"pipeline\.load_lora_weights"):
        adapter_of(Denoising(tiny_pipeline()))
    pipeline, model = two_adapters()
    pipeline.fuse_lora(adapter_names=["a"])
    with pytest.raises(AdapterError, match=r"unfuse_lora\(\) of a pipeline"):
        adapter_of(model, "a")


def test_its_fingerprint_knows_its_weight_in_the_mixture() -> None:
    pipeline, model = two_adapters()
    before = hash_adapter(model, adapter_of(model, "a"))
    pipeline.set_adapters(["a", "b"], [0.9, 0.3])
    assert hash_adapter(model, adapter_of(model, "a")) != before


def test_other_models_have_no_adapted_parts() -> None:
    plain = nn.Sequential(nn.Linear(2, 3))
    assert (adapted_parts(plain), configs_of(plain)) == ({}, {})
    model = peft.get_peft_model(plain, LoraConfig(target_modules=["0"]))
    assert set(configs_of(model)) == {"default"}
    assert active_in(model) == ["default"]
