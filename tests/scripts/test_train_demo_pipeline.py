"""The small pipeline: its tokenizer knows all captions; training writes a pipeline."""

from pathlib import Path

import pytest
import torch

pytest.importorskip(
    "diffusers.pipelines", reason="not with these versions", exc_type=ImportError
)

from datainf.experiments.data.pictures import SHAPES, STYLES, caption_of
from datainf.integrations.diffusion.pipelines import load_pipeline
from scripts import train_demo_pipeline


def test_the_tokenizer_has_a_token_for_every_word() -> None:
    tokenizer = train_demo_pipeline.build_tokenizer()
    for style in STYLES:
        text = caption_of(style, "red", SHAPES[0], "blue")
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert len(ids) <= train_demo_pipeline.TOKENS


def test_main_writes_a_pipeline_that_diffusers_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--vae-steps", "1", "--steps", "1", "--batch-size", "2")
    train_demo_pipeline.main(["--out", str(tmp_path), *few])
    assert "denoiser step 1/1" in capsys.readouterr().err
    pipeline = load_pipeline(str(tmp_path))
    assert pipeline.unet.dtype is torch.float32
    made = pipeline("plain style: a red ring on blue", num_inference_steps=2)
    assert made.images[0].size == (32, 32)
