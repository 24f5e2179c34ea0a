"""Presets: the paper's settings, and what a user may replace."""

from dataclasses import replace

import pytest

from datainf.core.canonical import sha256_of
from datainf.core.errors import OptionError
from datainf.core.options import Precision
from datainf.experiments.data.text_tasks import TEXT_TASKS
from datainf.experiments.presets import (
    IMAGE_PRESETS,
    PRESETS,
    TEXT_PRESETS,
    study_of,
)
from datainf.experiments.units import Unit, units_of


def test_the_paper_preset_is_the_papers():
    study = study_of("paper")
    recipe = study.recipe_for(rank=8, seed=3, rows=4500)
    assert (study.model, study.ranks, study.seeds) == (
        "roberta-large",
        (1, 2, 4, 8),
        20,
    )
    assert (study.sample.rows, study.sample.validation_rows) == (4500, 500)
    assert set(study.datasets) == {"mrpc", "sst2", "qnli", "qqp"}
    assert recipe.peft == {
        "r": 8, "lora_alpha": 8, "lora_dropout": 0.05, "target_modules": ["value"]
    }  # fmt: skip
    assert recipe.training["learning_rate"] == 3e-4
    # 141 batches of 32 in each of 10 epochs, of which 6 %.
    assert recipe.training["warmup_steps"] == 85
    assert recipe.seed == 3


def test_the_paper_preset_of_text_generation_is_the_papers():
    study = study_of("paper", presets=TEXT_PRESETS)
    recipe = study.recipe_for(rank=8, seed=3, rows=900)
    assert (study.model, study.precision) == ("meta-llama/Llama-2-13b-chat-hf", "int8")
    plain = replace(study, precision=Precision.FLOAT32)
    assert study.settings() == plain.settings() | {"precision": "int8"}
    assert (study.ranks, study.seeds) == ((8,), 20)
    # Ten classes of 90 + 10 rows, none of them wrong.
    sample = study.sample
    assert (sample.rows, sample.validation_rows, sample.flipped) == (900, 100, 0)
    assert set(study.datasets) == set(TEXT_TASKS)
    assert recipe.peft == {
        "r": 8, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]
    }  # fmt: skip
    training = recipe.training
    assert (training["learning_rate"], training["num_train_epochs"]) == (3e-4, 25)
    assert training["per_device_train_batch_size"] == 64
    # What a preset says of warm-up is taken, and not 6 % of the steps.
    assert training["warmup_steps"] == 0
    small = study_of("small", presets=TEXT_PRESETS).recipe_for(rank=8, seed=0, rows=250)
    assert (small.peft["lora_alpha"], small.training["warmup_steps"]) == (16, 20)


def test_the_kept_records_of_the_first_presets_stay_valid():
    # Part of every key in docs/results/mislabeled.jsonl.
    assert sha256_of(PRESETS["small"].settings())[:12] == "313338f96968"


def test_the_kept_records_of_pictures_stay_valid():
    # Part of every key in docs/results/text-to-image.jsonl.
    assert sha256_of(IMAGE_PRESETS["small"].settings())[:12] == "c2ae63acd00a"


def test_pictures_have_the_papers_steps_and_a_rank_a_task():
    study = study_of("paper", presets=IMAGE_PRESETS)
    assert units_of(study, noise=(False,))[:2] == [
        Unit("styles-hub", 1, 0, noisy=False),
        Unit("subjects", 4, 0, noisy=False),
    ]
    # Ten thousand steps, of 600 pictures or of 90.
    for rows in (600, 90):
        recipe = study.recipe_for(rank=1, seed=0, rows=rows)
        assert recipe.training["max_steps"] == 10_000
        assert "num_train_epochs" not in recipe.training
    # What is asked for by name wins.
    other = study_of("paper", ranks=(8,), epochs=3, presets=IMAGE_PRESETS)
    assert {unit.rank for unit in units_of(other)} == {8}
    assert "max_steps" not in other.recipe.training
    assert other.recipe.training["num_train_epochs"] == 3


def test_six_percent_of_the_steps_warm_up():
    study = PRESETS["small"]
    training = {**study.recipe.training, "max_steps": 100}
    study = replace(study, recipe=replace(study.recipe, training=training))
    found = study.recipe_for(rank=4, seed=0, rows=999).training
    assert found["warmup_steps"] == 6


def test_what_is_named_is_replaced_and_nothing_else():
    small = PRESETS["small"]
    study = study_of("small", model="m", datasets=("sst2",), rows=7, epochs=2)
    assert (study.model, study.datasets, study.sample.rows) == ("m", ("sst2",), 7)
    assert study.recipe.training["num_train_epochs"] == 2
    assert (study.ranks, study.seeds) == (small.ranks, small.seeds)
    assert study_of("small") == small
    assert study.settings() != small.settings()


def test_the_presets_have_at_least_the_seeds_that_are_asked_for():
    for presets in (PRESETS, TEXT_PRESETS):
        seeds = {name: study.seeds for name, study in presets.items()}
        assert seeds == {"small": 5, "paper": 20}


def test_an_unknown_preset_is_refused():
    with pytest.raises(OptionError) as refused:
        study_of("papier")
    assert str(refused.value) == (
        "preset='papier' is unknown: expected one of: small, paper; did you mean "
        "'paper'?."
    )


@pytest.mark.parametrize(
    "given", [{"seeds": 0}, {"rows": 0}, {"epochs": 0}, {"ranks": (0,)}]
)
def test_numbers_below_one_are_refused(given):
    with pytest.raises(
        OptionError, match=r"^(seeds|rows|epochs|rank 0) must be at least 1"
    ):
        study_of("small", **given)


def test_further_ranks_stand_behind_the_own_ones_and_none_twice():
    study = study_of("small", ranks=(4,))
    study = replace(study, further_ranks={"sst2": (1, 4, 16)})
    assert study.ranks_of("sst2") == (4, 1, 16)
    assert study.ranks_of("mrpc") == (4,)
    assert [study.in_full("sst2", rank) for rank in (4, 1, 16)] == [True, False, False]
    assert study.settings() == study_of("small", ranks=(4,)).settings()
