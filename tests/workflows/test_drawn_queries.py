"""Queries that are prompts alone are drawn with the adapter, once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datainf.core.errors import DataError
from datainf.integrations.diffusion.denoising import denoising_of
from datainf.integrations.diffusion.generated import generated
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.workflows import drawn_queries as module
from datainf.workflows.attribute import attribute
from datainf.workflows.drawn_queries import drawn_queries
from datainf.workflows.pictures import pictures
from tests.tiny_diffusion import (
    DIFFUSERS,
    tiny_images,
    tiny_pipeline,
    tiny_subject,
    with_diffusion_lora,
)
from tests.tiny_models import tiny_tokenizer

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


@pytest.fixture(scope="module")
def asked() -> tuple[Any, TextToImage]:
    return tiny_subject()


def test_rows_without_an_image_are_drawn_with_their_seed_and_kept(
    asked: tuple[Any, TextToImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, task = asked
    own = tiny_images()[0]
    queries = [{"text": "a"}, own, {"text": "a", "image": None, "seed": 5}]
    found = drawn_queries(model, task, queries, tmp_path)
    assert found[1] is own
    for row, seed in ((found[0], 0), (found[2], 5)):
        (wanted,) = generated(model, ["a"], seed=seed, side=16)
        assert np.array_equal(np.array(Image.open(row["image"])), np.array(wanted))
        assert row["seed"] == seed
        assert Path(row["image"]).name.startswith(f"seed-{seed}-")
    monkeypatch.setattr(module, "generated", None)  # nothing is drawn twice
    assert drawn_queries(model, task, queries, tmp_path) == found
    assert len(list((tmp_path / "drawn").iterdir())) == 2


def test_another_adapter_draws_anew(
    asked: tuple[Any, TextToImage], tmp_path: Path
) -> None:
    model, task = asked
    (first,) = drawn_queries(model, task, [{"text": "a"}], tmp_path)
    other = with_diffusion_lora(tiny_pipeline(dtype=torch.float32), seed=1)
    (second,) = drawn_queries(other, task, [{"text": "a"}], tmp_path)
    assert first["image"] != second["image"]


def test_another_scheduler_or_vae_draws_anew(tmp_path: Path) -> None:
    from diffusers import DDIMScheduler

    model, task = tiny_subject()
    pipeline = denoising_of(model).pipeline
    drawn = {drawn_queries(model, task, [{"text": "a"}], tmp_path)[0]["image"]}
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    drawn |= {drawn_queries(model, task, [{"text": "a"}], tmp_path)[0]["image"]}
    pipeline.vae.decoder.conv_out.bias.data += 1
    drawn |= {drawn_queries(model, task, [{"text": "a"}], tmp_path)[0]["image"]}
    assert len(drawn) == 3


def test_prompts_are_attributed(asked: tuple[Any, TextToImage], tmp_path: Path) -> None:
    model, task = asked
    train = tiny_images()
    scores = attribute(model, train, [{"text": "a"}], task, cache=tmp_path)
    assert scores.values.shape == (1, 3)
    assert scores.queries["text"][0] == "drawn from seed 0, 16 × 16 → a"
    # Drawn before, they can be shown too.
    queries = drawn_queries(model, task, [{"text": "a"}], str(tmp_path))
    again = attribute(model, train, queries, task)
    assert np.array_equal(again.values, scores.values)
    shown = pictures(again, task, train, queries)
    assert shown is not None
    assert set(shown.table["side"]) == {"train", "query"}


@pytest.mark.parametrize(
    "value", [tiny_images()[0]["image"], "a/cat.PNG", {"bytes": b"", "path": None}]
)
def test_an_image_in_a_column_of_another_name_is_not_passed_over(
    asked: tuple[Any, TextToImage], tmp_path: Path, value: object
) -> None:
    model, task = asked
    with pytest.raises(DataError, match="no column 'image', and 'picture' holds an im"):
        drawn_queries(model, task, [{"text": "a", "picture": value}], tmp_path)


def test_other_tasks_and_whole_rows_are_left_as_they_are(
    asked: tuple[Any, TextToImage], tmp_path: Path
) -> None:
    model, task = asked
    rows = [{"text": "a"}]
    assert drawn_queries(model, CausalLM(tiny_tokenizer()), rows, tmp_path) is rows
    whole = tiny_images()
    assert drawn_queries(model, task, whole, tmp_path) is whole


@pytest.mark.parametrize("seed", [-1, "1", True, 0.5])
def test_a_seed_that_is_none_is_refused(
    asked: tuple[Any, TextToImage], tmp_path: Path, seed: object
) -> None:
    model, task = asked
    with pytest.raises(DataError, match="column 'seed' must hold a whole number"):
        drawn_queries(model, task, [{"text": "a", "seed": seed}], tmp_path)
