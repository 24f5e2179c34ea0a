"""TextToImage: what an image and its caption cost, pass by pass and size by size."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datainf import collect, influence
from datainf.capture.session import CaptureSession
from datainf.core.errors import DataError, DatainfWarning, OptionError
from datainf.core.task import PartedTask
from datainf.integrations.diffusion.denoising import Denoising, denoising_of
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.text_to_image import TextToImage
from tests.reference_gradients import gradients_one_by_one
from tests.tiny_diffusion import (
    DIFFUSERS,
    PIPELINES,
    tiny_images,
    tiny_pipeline,
    with_diffusion_lora,
)

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")
ROWS = tiny_images()


def by_hand(pipeline: Any, row: dict[str, Any], step: int, noise: torch.Tensor) -> Any:
    """Stable Diffusion's training loss, in the words of diffusers' own scripts."""
    pixels = torch.from_numpy(np.array(row["image"])).permute(2, 0, 1)[None] / 127.5 - 1
    latents = pipeline.vae.encode(pixels.double()).latent_dist.mode()
    latents = latents * pipeline.vae.config.scaling_factor
    steps = torch.tensor([step])
    noisy = pipeline.scheduler.add_noise(latents, noise[None], steps)
    ids = pipeline.tokenizer(
        row["text"], padding="max_length", max_length=7, return_tensors="pt"
    ).input_ids
    text = pipeline.text_encoder(ids)[0]
    said = pipeline.unet(noisy, steps, text).sample
    return torch.nn.functional.mse_loss(said, noise[None])


def test_a_loss_is_the_mean_of_training_losses_over_the_passes() -> None:
    pipeline = tiny_pipeline()
    task, model = TextToImage(pipeline, timesteps=3, noises=2), Denoising(pipeline)
    with torch.no_grad():
        found = task.losses(model, task.collate(ROWS))
        for row, loss in zip(ROWS, found, strict=True):
            shape = tuple(task.latent(row).shape)
            wanted = [
                by_hand(pipeline, row, t, task._passes.noise(p, shape).double())
                for p, t in enumerate([166, 166, 500, 500, 833, 833])
            ]
            torch.testing.assert_close(
                loss, torch.stack(wanted).mean(), rtol=1e-6, atol=0
            )


def test_parts_have_one_size_and_one_pass_and_sum_to_the_batch() -> None:
    pipeline = tiny_pipeline()
    task, model = TextToImage(pipeline, timesteps=2), Denoising(pipeline)
    assert isinstance(task, PartedTask)
    batch = task.collate(ROWS)
    assert batch["latents"].shape == (3, 4, 12, 10)
    parts = list(task.parts(batch))
    assert len(parts) == 3 * 2
    total = torch.zeros(3, dtype=torch.float64)
    for rows, part in parts:
        assert part["passes"].shape == (len(rows), 1)
        assert part["latents"].shape[2:] == tuple(part["sizes"][0])
        total[rows] += task.losses(model, part).detach()
    torch.testing.assert_close(total, task.losses(model, batch).detach())


@pytest.mark.parametrize("family", PIPELINES)
def test_adapters_of_text_encoders_and_denoiser_together_equal_autograd(
    family: str,
) -> None:
    model = with_diffusion_lora(tiny_pipeline(family), ["to_q", "q_proj", "q"])
    base = denoising_of(model)
    task = TextToImage(base.pipeline, timesteps=1)
    # An end of text that encoders find: some read their answer there.
    end = base.pipeline.tokenizer.eos_token
    rows = [{**row, "text": word + end} for row, word in zip(ROWS, WORDS, strict=True)]
    adapter = adapter_of(model)
    with warnings.catch_warnings(), CaptureSession(model, adapter, task) as session:
        warnings.simplefilter("ignore", DatainfWarning)
        session.probe(rows[:2])
        found, _ = session.gradients(task.collate(rows))
        coverage = dict(session.coverage)
    named = {t.block.name: t.parameter for t in adapter.parameters}
    assert {name.split(".")[0] for name in named} == {name for name, _ in base.parts()}
    wanted = gradients_one_by_one(model, task, rows, named)
    idle = set()
    for name, gradient in wanted.items():
        bound = 1e-10 * float(gradient.norm(dim=1).max())
        assert float((found[name] - gradient).norm(dim=1).max()) <= bound, name
        idle |= set() if gradient.any() else {name}
    # SDXL reads its first text encoder up to the last layer but one.
    last = ".layers.1." if family == "stable-diffusion-xl" else "none"
    assert idle == {n for n in named if n.startswith("text_encoder.") and last in n}
    assert {name for name, way in coverage.items() if way == "looped"} == idle


WORDS = ("xyz", "yz", "zx")


@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-3"])
def test_another_batch_gives_the_same_scores_and_the_same_batch_the_same_bits(
    family: str,
) -> None:
    model = with_diffusion_lora(tiny_pipeline(family, dtype=torch.float32))
    task = TextToImage(denoising_of(model).pipeline, timesteps=2)
    rows = [*ROWS, *tiny_images([(32, 32), (32, 32)])[1:]]
    with CaptureSession(model, adapter_of(model), task) as session:
        first, _ = session.gradients(task.collate(rows))
        again, _ = session.gradients(task.collate(rows))
        alone = [session.gradients(task.collate([row]))[0] for row in rows]
    one_by_one = {name: torch.cat([found[name] for found in alone]) for name in first}
    for name, gradient in first.items():
        assert torch.equal(gradient, again[name])
        bound = 1e-5 * float(gradient.norm(dim=1).max())
        assert float((gradient - one_by_one[name]).norm(dim=1).max()) <= bound

    def scored(gradients: Any) -> torch.Tensor:
        asked = {name: gradient[:2] for name, gradient in gradients.items()}
        return influence(gradients, asked, method="datainf")

    scores = scored(first)
    assert torch.equal(scores, scored(again))
    bound = 1e-5 * float(scores.abs().max())
    assert float((scores - scored(one_by_one)).abs().max()) <= bound


def test_half_precision_weights_give_the_gradients_of_the_same_weights() -> None:
    model = with_diffusion_lora(tiny_pipeline(dtype=torch.float16))
    pipeline = tiny_pipeline()
    exact = with_diffusion_lora(pipeline)
    # The same numbers, which 16 bits can hold.
    exact.load_state_dict(model.state_dict())

    def gradients(one: Any) -> dict[str, torch.Tensor]:
        task = TextToImage(denoising_of(one).pipeline, timesteps=2)
        with CaptureSession(one, adapter_of(one), task) as session:
            found, _ = session.gradients(task.collate(ROWS))
        return {name: gradient.double() for name, gradient in found.items()}

    half, whole = gradients(model), gradients(exact)
    for name, gradient in whole.items():
        error = (half[name] - gradient).norm(dim=1) / gradient.norm(dim=1)
        assert 0 < float(error.max()) < HALF, name


HALF = 0.02
"""A rounding is 2⁻¹¹; there are some tens of layers."""


def test_a_step_of_training_has_one_timestep_and_one_noise_for_each_example() -> None:
    pipeline = tiny_pipeline()
    task, model = TextToImage(pipeline, timesteps=3), Denoising(pipeline)
    batch = task.collate(ROWS)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(5)
        drawn = task.drawn(batch)
        found = task.losses(model, drawn)
        for i, row in enumerate(ROWS):
            height, width = batch["sizes"][i].tolist()
            noise = drawn["noise"][i, :, :height, :width]
            wanted = by_hand(pipeline, row, int(drawn["steps"][i]), noise)
            torch.testing.assert_close(found[i], wanted, rtol=1e-6, atol=0)
        torch.manual_seed(5)
        assert torch.equal(task.drawn(batch)["noise"], drawn["noise"])
    assert not {"steps", "noise"} & batch.keys()


def test_measures_of_what_the_denoiser_says() -> None:
    pipeline = tiny_pipeline()
    model, said = Denoising(pipeline), []
    pipeline.unet.register_forward_hook(lambda _m, _a, output: said.append(output[0]))
    for measure, of in (
        ("square", lambda x: x.square().mean()),
        ("average", lambda x: x.mean()),
    ):
        task = TextToImage(pipeline, timesteps=1, measure=measure)
        with torch.no_grad():
            (found,) = task.losses(model, task.collate(ROWS[:1]))
        torch.testing.assert_close(found, of(said[-1]))


def test_weightings_weigh_the_passes() -> None:
    pipeline = tiny_pipeline()
    model = Denoising(pipeline)
    plain = TextToImage(pipeline, timesteps=3)
    task = TextToImage(pipeline, timesteps=3, weighting="min-snr")
    batch = task.collate(ROWS[:1])
    with torch.no_grad():
        each = [3 * plain.losses(model, part.batch)[0] for part in plain.parts(batch)]
        (found,) = task.losses(model, batch)
    torch.testing.assert_close(found, (torch.stack(each) * task._passes.weights).sum())


def test_a_caption_is_its_own_or_the_prompt_for_all() -> None:
    task = TextToImage(tiny_pipeline(), prompt="a photo of sks dog")
    assert task.caption({"text": "mine"}) == "mine"
    assert task.caption({"text": None}) == task.caption({}) == "a photo of sks dog"
    assert task.caption({"text": ""}) == ""
    task.for_columns(["image"])
    bare = TextToImage(tiny_pipeline())
    with pytest.raises(DataError, match=r"dog\.png has no caption in column 'text'"):
        bare.caption({"image": "dog.png", "text": None})
    with pytest.raises(DataError, match="must hold a caption, got 7"):
        bare.caption({"text": 7})
    with pytest.raises(DataError, match=r"column 'text' is missing.*task\.prompt"):
        bare.for_columns(["image", "caption"])
    with pytest.raises(DataError, match="column 'image' is missing"):
        bare.for_columns(["img", "text"])


def test_captions_of_any_script_reach_the_text_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = tiny_pipeline()
    task, model = TextToImage(pipeline, timesteps=1), Denoising(pipeline)
    seen: list[str] = []

    def encode(prompts: list[str], _: tuple[int, int]) -> dict[str, torch.Tensor]:
        seen.extend(prompts)
        return {}

    monkeypatch.setattr(model, "encode", encode)
    monkeypatch.setattr(model, "forward", lambda noisy, *_: noisy)
    texts = ["кот 猫 🐈", "", "a"]
    rows = [{"image": ROWS[0]["image"], "text": text} for text in texts]
    task.losses(model, task.collate(rows))
    assert seen == texts


def test_files_stand_for_themselves_and_broken_ones_are_named(tmp_path: Path) -> None:
    task = TextToImage(tiny_pipeline())
    file = tmp_path / "cat.png"
    ROWS[0]["image"].convert("L").save(file)
    row = {"image": str(file), "text": "a"}
    assert task.describe(row) == f"{file}, 32 × 32 → a"
    assert task.resolved(row)["image"] == file.read_bytes()
    assert task.latent(row).shape == (4, 8, 8)  # grey is brought to RGB
    broken = tmp_path / "half.png"
    broken.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match=r"half\.png"):
        task.latent({"image": str(broken), "text": "a"})
    small = Image.new("RGB", (5, 90))
    with pytest.raises(DataError, match="5 × 90 is smaller"):
        task.length({"image": small, "text": "a"})


def test_an_image_is_encoded_once() -> None:
    pipeline = tiny_pipeline()
    task, calls = TextToImage(pipeline), []
    pipeline.vae.encoder.register_forward_hook(lambda *_: calls.append(1))
    assert torch.equal(task.latent(ROWS[0]), task.latent({**ROWS[0], "text": "other"}))
    task.collate(ROWS)
    assert len(calls) == 3


def test_settings_know_every_choice_and_what_the_pipeline_does_to_images() -> None:
    pipeline = tiny_pipeline()
    first = TextToImage(pipeline).settings()
    assert json.loads(json.dumps(first)) == first
    others = [
        TextToImage(pipeline, **options).settings()
        for options in (
            {"prompt": "a"},
            {"resolution": 32},
            {"timesteps": 7},
            {"noises": 2},
            {"noise_seed": 1},
            {"weighting": "min-snr"},
            {"measure": "square"},
        )
    ]
    others.append(TextToImage(tiny_pipeline("stable-diffusion-v")).settings())
    others.append(TextToImage(tiny_pipeline(seed=1)).settings())
    assert all(other != first for other in others)
    assert TextToImage(tiny_pipeline()).settings() == first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timesteps": 0}, r"task\.timesteps"),
        ({"timesteps": 1001}, "the scheduler knows 1000"),
        ({"noises": -1}, r"task\.noises"),
        ({"noise_seed": -1}, r"task\.noise_seed"),
        ({"resolution": 36}, "must be a multiple of 8"),
        ({"weighting": "min-snt"}, "did you mean 'min-snr'"),
        ({"weighting": "logit-normal"}, "belongs to flow matching"),
        ({"measure": "sqare"}, "did you mean 'square'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        TextToImage(tiny_pipeline(), **options)


def test_what_is_no_pipeline_is_refused() -> None:
    with pytest.raises(OptionError, match="got a str; DiffusionPipeline"):
        TextToImage("runwayml/stable-diffusion-v1-5")
    pipeline = tiny_pipeline()
    pipeline.vae = None
    with pytest.raises(OptionError, match="has no VAE"):
        TextToImage(pipeline)


def test_a_caption_that_the_pipeline_cuts_is_counted(tmp_path: Path) -> None:
    pipeline = tiny_pipeline(dtype=torch.float32)
    model = with_diffusion_lora(pipeline)
    task = TextToImage(denoising_of(model).pipeline, timesteps=1, resolution=16)
    long = {**ROWS[0], "text": "x" * 1000}
    with pytest.warns(DatainfWarning, match="^1 of 2 examples are longer than the mod"):
        collect(model, [ROWS[1], long], task, out=tmp_path / "store")
