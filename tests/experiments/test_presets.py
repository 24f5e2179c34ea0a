"""Presets: the paper's settings, and what a user may replace."""

import pytest

from datainf.core.errors import OptionError
from datainf.experiments.presets import PRESETS, TEXT_PRESETS, study_of


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


def test_what_is_named_is_replaced_and_nothing_else():
    small = PRESETS["small"]
    study = study_of("small", model="m", datasets=("sst2",), rows=7, epochs=2)
    assert (study.model, study.datasets, study.sample.rows) == ("m", ("sst2",), 7)
    assert study.recipe.training["num_train_epochs"] == 2
    assert (study.ranks, study.seeds) == (small.ranks, small.seeds)
    assert study_of("small") == small
    assert study.settings() != small.settings()


def test_the_presets_have_at_least_the_seeds_that_are_asked_for():
    assert {name: study.seeds for name, study in PRESETS.items()} == {
        "small": 5,
        "paper": 20,
    }


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


def test_the_papers_texts_are_learned_as_in_the_paper():
    study = study_of("paper", presets=TEXT_PRESETS)
    recipe = study.recipe_for(rank=8, seed=3, rows=900)
    assert recipe.peft["lora_alpha"] == 32
    assert recipe.peft["target_modules"] == ["q_proj", "v_proj"]
    assert recipe.training["per_device_train_batch_size"] == 64
    assert recipe.training["num_train_epochs"] == 25
    # 90 and 10 rows of each of ten classes.
    assert (study.sample.rows, study.sample.validation_rows) == (900, 100)
    assert study.model == "meta-llama/Llama-2-13b-chat-hf"
