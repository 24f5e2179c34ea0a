"""Units: an adapter is trained once, its stores are there while it is open."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.core.options import Precision
from datainf.experiments.presets import IMAGE_PRESETS, study_of
from datainf.experiments.units import Target, Unit, base_of, model_id, opened, units_of
from tests.experiments.places import (
    tiny_base,
    tiny_data,
    tiny_roberta,
    tiny_study,
    tiny_text_study,
)
from tests.quantised import needs_bitsandbytes
from tests.tiny_models import tiny_bert_classifier

UNIT = Unit("sst2", 2, 1)


def test_an_adapter_is_trained_once_and_its_stores_go(tmp_path):
    study = tiny_study(tmp_path)
    with opened(UNIT, study, tmp_path / "out") as first:
        (folder,) = (tmp_path / "out" / "adapters").iterdir()
        assert (len(first.train), len(first.validation)) == (17, 11)
        assert first.wrong.tolist() == [row["wrong"] for row in first.rows.train]
        assert first.wrong.sum() == 3
        rows = next(first.train.rows()).gradients
    weights = folder / "adapter_model.safetensors"
    written = weights.stat().st_mtime_ns
    assert not (folder / "stores").exists()
    with opened(UNIT, study, tmp_path / "out") as again:
        for name, tensor in next(again.train.rows()).gradients.items():
            assert tensor.equal(rows[name])
    assert weights.stat().st_mtime_ns == written


def test_a_prompts_loss_is_of_all_its_tokens_and_of_nothing_else(tmp_path):
    unit = Unit("sentences-paper", 2, 0, noisy=False)
    study = tiny_text_study(tmp_path, rows=10)
    with opened(unit, study, tmp_path / "out") as subject:
        task, train, _ = subject.read(Target.PROMPT)
        batch = task.collate(train)
        found, _ = subject.gradients(target=Target.PROMPT)
        own, _ = subject.gradients()
        with torch.no_grad():
            losses = task.losses(subject.subject.model, batch)
        np.testing.assert_allclose(found.losses, losses.numpy(), rtol=1e-5)
        assert not np.allclose(found.losses, own.losses)
        tokenizer = subject.subject.tokenizer
        for row, ids, labels in zip(
            subject.rows.train, batch["input_ids"], batch["labels"], strict=True
        ):
            prompt = tokenizer(row["prompt"])["input_ids"]
            assert ids[: len(prompt)].tolist() == prompt
            # The first token has nothing before it; behind the prompt is padding.
            learned = [False, *[True] * (len(prompt) - 1)]
            learned += [False] * (len(ids) - len(prompt))
            assert (labels != -100).tolist() == learned


def test_blocks_of_the_paper_preset_are_the_paper_s(tmp_path):
    study = study_of(
        "paper",
        model=str(tiny_roberta(tmp_path / "base")),
        data_dir=str(tiny_data(tmp_path / "data")),
        rows=17,
        epochs=1,
    )
    with opened(Unit("sst2", 3, 0), study, tmp_path / "out") as subject:
        sizes = subject.train.layout.sizes
    # Each A and B of `value` for itself, and of the head its last weight alone.
    value = "roberta.encoder.layer.{}.attention.self.value.lora_{}.weight"
    lora = [value.format(i, side) for i in (0, 1) for side in "AB"]
    head = "classifier.out_proj.weight"
    assert sizes == {**dict.fromkeys(lora, 3 * 16), head: 2 * 16}


@needs_bitsandbytes
def test_a_unit_in_eight_bits_is_trained_and_asked_in_them(tmp_path):
    study = replace(tiny_text_study(tmp_path, rows=10), precision=Precision.INT8)
    unit = Unit("sentences-paper", 2, 0, noisy=False)
    with opened(unit, study, tmp_path / "out") as subject:
        kinds = {parameter.dtype for parameter in subject.subject.model.parameters()}
        assert kinds == {torch.float32, torch.int8}
        assert np.isfinite(subject.train.losses).all()


def test_stores_stay_when_something_goes_wrong(tmp_path):
    study = tiny_study(tmp_path)
    with pytest.raises(KeyboardInterrupt), opened(UNIT, study, tmp_path / "out"):
        raise KeyboardInterrupt
    assert len(list(tmp_path.glob("out/adapters/*/stores/*/manifest.json"))) == 2


def test_keys_say_all_that_decides_an_adapter_and_no_place(tmp_path):
    study = tiny_study(tmp_path)
    key = UNIT.key(study)
    assert str(tmp_path) not in str(key)
    others = [
        Unit("sst2", 3, 1).key(study),
        Unit("sst2", 2, 2).key(study),
        Unit("sst2", 2, 1, noisy=False).key(study),
        UNIT.key(replace(study, sample=replace(study.sample, rows=5))),
        UNIT.key(replace(study, model="some/name")),
    ]
    assert key == UNIT.key(study)
    assert all(other != key for other in others)


def test_a_model_is_named_by_its_content(tmp_path):
    first, same = (model_id(str(tiny_base(tmp_path / n))) for n in ("a", "b"))
    tiny_bert_classifier(2, seed=1).save_pretrained(tmp_path / "c")
    assert first == same != model_id(str(tmp_path / "c"))
    assert first.startswith("bert-")
    assert model_id("org/name") == "org/name"
    (tmp_path / "empty").mkdir()
    assert model_id(str(tmp_path / "empty")).startswith("model-")


def test_a_pipeline_is_named_by_the_content_of_its_parts(tmp_path):
    for name, weights in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name / "unet").mkdir(parents=True)
        index = '{"_class_name": "StableDiffusionPipeline"}'
        (tmp_path / name / "model_index.json").write_text(index)
        part = tmp_path / name / "unet" / "diffusion_pytorch_model.safetensors"
        part.write_bytes(weights)
    first, same, other = (model_id(str(tmp_path / name)) for name in "abc")
    assert first == same != other
    assert first.startswith("StableDiffusionPipeline-")
    style = Unit("styles", 2, 0, noisy=False)
    study = study_of("small", presets=IMAGE_PRESETS)
    assert model_id(base_of(style, study)).startswith("StableDiffusionPipeline-")


def test_a_classifier_needs_a_base_and_the_demo_brings_its_own(tmp_path):
    study = replace(tiny_study(tmp_path), model=None)
    assert base_of(Unit("demo-lm", 2, 0), study).endswith("demo-base")
    text = Unit("math-paper", 2, 0, noisy=False)
    assert base_of(text, study).endswith("demo-base")
    assert base_of(text, replace(study, model="some/name")) == "some/name"
    with pytest.raises(OptionError) as refused:
        base_of(UNIT, study)
    assert str(refused.value) == (
        "the preset small needs a base model for sst2: name a folder or hub name with "
        "--model."
    )


def test_early_seeds_cover_every_data_set(tmp_path):
    study = tiny_study(tmp_path, datasets=("sst2", "qqp"), ranks=(1, 2))
    assert [unit.seed for unit in units_of(study)] == [0] * 4 + [1] * 4
    assert all(unit.noisy for unit in units_of(study))
    both = units_of(study, noise=(True, False))
    assert len(both) == 16
    assert [unit.noisy for unit in both[:2]] == [True, False]


def test_an_adapter_of_other_rows_is_not_taken_for_one_of_these(tmp_path):
    study = tiny_study(tmp_path)
    with opened(UNIT, study, tmp_path / "out"):
        pass
    other = replace(study, data_dir=str(tiny_data(tmp_path / "other", rows=31)))
    with (
        pytest.raises(OptionError, match=r"train\.jsonl holds other rows than these, "),
        opened(UNIT, other, tmp_path / "out"),
    ):
        pass
