"""LoRAs as diffusers saves them: every tensor finds its place, or none is believed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from datainf.core.errors import AdapterError, OptionError
from datainf.integrations.adapters import load_adapter
from datainf.integrations.diffusion.denoising import Denoising
from datainf.integrations.diffusion.loras import is_lora_of_pipeline, load_lora
from datainf.integrations.diffusion.pipelines import LORA_WEIGHTS
from datainf.integrations.peft import adapter_of
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Any]:
    """A pipeline's folder, a LoRA's, and the pipeline that has it."""
    base, lora = (str(tmp_path_factory.mktemp(name)) for name in ("base", "lora"))
    pipeline = tiny_pipeline(dtype=torch.float32)
    pipeline.save_pretrained(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for part, targets in (("unet", ["to_q"]), ("text_encoder", ["q_proj"])):
            getattr(pipeline, part).add_adapter(
                LoraConfig(r=2, target_modules=targets, init_lora_weights=False)
            )
    pipeline.save_lora_weights(
        lora,
        unet_lora_layers=get_peft_model_state_dict(pipeline.unet),
        text_encoder_lora_layers=get_peft_model_state_dict(pipeline.text_encoder),
    )
    return base, lora, pipeline


def test_a_folder_and_a_file_load_the_same_adapter(saved: tuple[str, str, Any]) -> None:
    base, lora, pipeline = saved
    wanted = {
        t.block.name: t.parameter for t in adapter_of(Denoising(pipeline)).parameters
    }
    for name in (lora, str(Path(lora) / LORA_WEIGHTS)):
        assert is_lora_of_pipeline(name)
        model, own = load_adapter(name, base=base)
        assert model.pipeline is own
        assert not model.training
        found = {t.block.name: t.parameter for t in adapter_of(model).parameters}
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_without_a_pipeline_it_says_how_to_name_one(
    saved: tuple[str, str, Any],
) -> None:
    with pytest.raises(OptionError, match=r"does not name its pipeline.*--model"):
        load_lora(saved[1], None)


def test_a_tensor_without_a_place_is_refused(
    saved: tuple[str, str, Any], tmp_path: Path
) -> None:
    base, lora, _ = saved
    tensors = load_file(Path(lora) / LORA_WEIGHTS)
    for key in [*tensors]:
        if "unet" in key and "mid_block" in key:
            tensors[key.replace("mid_block", "middle_block")] = tensors.pop(key)
    save_file(tensors, tmp_path / LORA_WEIGHTS)
    with pytest.raises(
        AdapterError, match=r"does not fit|have a place in the pipeline"
    ):
        load_lora(str(tmp_path), base)


def test_a_lora_of_other_widths_is_refused(
    saved: tuple[str, str, Any], tmp_path: Path
) -> None:
    base, lora, _ = saved
    tensors = load_file(Path(lora) / LORA_WEIGHTS)
    wide = {
        key: torch.cat([tensor, tensor], dim=1)
        if "lora_A" in key or ".down" in key
        else tensor
        for key, tensor in tensors.items()
    }
    save_file(wide, tmp_path / LORA_WEIGHTS)
    with pytest.raises(AdapterError, match="does not fit the pipeline"):
        load_lora(str(tmp_path), base)


def test_adapters_of_peft_are_no_loras_of_diffusers(tmp_path: Path) -> None:
    assert not is_lora_of_pipeline(str(tmp_path))
    (tmp_path / LORA_WEIGHTS).touch()
    assert is_lora_of_pipeline(str(tmp_path))
    (tmp_path / "adapter_config.json").touch()
    assert not is_lora_of_pipeline(str(tmp_path))
