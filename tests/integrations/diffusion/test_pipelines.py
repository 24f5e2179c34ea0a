"""Pipelines: loaded from folders, known again, refused by name."""

import builtins
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from datainf.core.errors import AdapterError, OptionError
from datainf.core.options import Precision
from datainf.integrations.diffusion.denoising import Denoising
from datainf.integrations.diffusion.pipelines import (
    as_module,
    diffusers,
    is_pipeline,
    is_pipeline_name,
    load_pipeline,
    pipeline_fingerprint,
    pristine,
)
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline, with_diffusion_lora

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pipeline")
    tiny_pipeline(dtype=torch.float32).save_pretrained(folder)
    return str(folder)


def test_a_saved_pipeline_is_loaded_whole_in_the_format_asked_for(saved: str) -> None:
    assert is_pipeline_name(saved)
    found = load_pipeline(saved)
    same = pipeline_fingerprint(tiny_pipeline(dtype=torch.float32))
    assert pipeline_fingerprint(found) == same
    half = load_pipeline(saved, precision=Precision.FLOAT16)
    assert half.unet.dtype is half.vae.dtype is torch.float16
    with pytest.raises(OptionError, match="precision='int8' is for language models"):
        load_pipeline(saved, precision=Precision.INT8)


def test_what_holds_no_pipeline_is_told(tmp_path: Path) -> None:
    assert not is_pipeline_name(str(tmp_path))
    assert not is_pipeline_name("nobody/nothing")
    with pytest.raises(AdapterError, match=r"cannot be loaded.*model_index\.json"):
        load_pipeline(str(tmp_path))


def test_without_diffusers_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "diffusers":
            raise ImportError("no such module")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OptionError, match=r"pip install 'datainf\[diffusion\]'"):
        diffusers()


def test_a_pipeline_stands_for_its_model_and_all_else_for_itself() -> None:
    pipeline = tiny_pipeline()
    assert is_pipeline(pipeline)
    found = as_module(pipeline)
    assert isinstance(found, Denoising)
    assert found.pipeline is pipeline
    plain = nn.Linear(2, 3)
    assert as_module(plain) is plain
    assert not is_pipeline(plain)


def test_a_base_is_taken_as_it_is_unless_an_adapter_lies_in_it(saved: str) -> None:
    pipeline = load_pipeline(saved)
    own = pristine(pipeline, saved, Precision.FLOAT32, trust_remote_code=False)
    assert own.pipeline is pipeline
    with_diffusion_lora(pipeline)
    fresh = pristine(pipeline, saved, Precision.FLOAT32, trust_remote_code=False)
    assert fresh.pipeline is not pipeline
    assert not any("lora" in name for name, _ in fresh.named_modules())
