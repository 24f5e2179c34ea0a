"""Training from run.yaml: the adapter, and the run.yaml that says all about it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig
from datainf.integrations.base_models import load_base
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.trainer import peft_config
from datainf.workflows.run_file import read_run, resolve
from datainf.workflows.subject import load_subject
from datainf.workflows.training import DEFAULT_RECIPE, train_run, with_defaults
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer
from tests.workflows.collecting import Told
from tests.workflows.run_folders import (
    REVIEWS,
    SUMS,
    N,
    language_folders,
    put_rows,
    recipe,
    review_folders,
)


def refused(message, kind=OptionError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    return language_folders(tmp_path_factory.mktemp("language"))


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"), flipped=0.2)


def weights(folder):
    return load_file(Path(folder) / "adapter_model.safetensors")


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


# --- what it leaves -----------------------------------------------------------------


def test_beside_the_adapter_lies_a_run_that_says_all(language):
    left = read_run(language.adapter)
    assert left == replace(
        language.config,
        adapter=language.adapter,
        task=left.task,
        recipe=with_defaults(language.config.recipe),
    )
    assert left.task["name"] == "causal-lm"
    assert left.task["tokenizer"]["vocab_size"] == len(tiny_tokenizer())


def test_training_from_that_run_gives_the_same_adapter_to_the_bit(reviews, tmp_path):
    again = train_run(replace(read_run(reviews.adapter), out=str(tmp_path)))
    assert same(weights(again), weights(reviews.adapter))
    assert read_run(again).task == read_run(reviews.adapter).task


def test_the_adapter_is_asked_with_the_folder_alone(reviews):
    subject = load_subject(resolve({"adapter": reviews.adapter}))
    assert subject.task.settings() == read_run(reviews.adapter).task
    assert getattr(subject.model.config, "num_labels", None) == 2
    saved = weights(reviews.adapter)
    found = dict(subject.model.named_parameters())
    head = "base_model.model.classifier.modules_to_save.default.weight"
    assert torch.equal(found[head].cpu(), saved["base_model.model.classifier.weight"])


def test_the_seed_draws_the_new_head_and_the_adapter(reviews, tmp_path):
    found = {}
    for seed in (5, 7):
        still = Recipe(
            peft=recipe("query").peft, training={"learning_rate": 0.0}, seed=seed
        )
        config = replace(reviews.config, recipe=still, out=str(tmp_path / str(seed)))
        found[seed] = weights(train_run(config))
        task = SequenceClassification(tiny_tokenizer())
        head = load_base(reviews.base, task, 2, seed=seed).classifier.weight
        assert torch.equal(found[seed]["base_model.model.classifier.weight"], head)
    drawn = [name for name in found[5] if "lora_A" in name]
    assert drawn
    assert not any(torch.equal(found[5][name], found[7][name]) for name in drawn)


# --- what is settled ----------------------------------------------------------------


def test_what_a_recipe_leaves_open_is_filled_in():
    assert with_defaults(None) == DEFAULT_RECIPE
    asked = Recipe(peft={"r": 5}, training={"learning_rate": 1e-2}, seed=7)
    assert with_defaults(asked) == Recipe(
        peft={**DEFAULT_RECIPE.peft, "r": 5},
        training={**DEFAULT_RECIPE.training, "learning_rate": 1e-2},
        seed=7,
    )


@pytest.mark.parametrize(
    ("peft", "rank"),
    [
        ({}, 8),
        ({"peft_type": "lora"}, 8),
        ({"peft_type": "IA3", "feedforward_modules": []}, None),
    ],
)
def test_the_settings_of_lora_are_filled_in_for_lora_alone(peft, rank):
    filled = with_defaults(Recipe(peft={**peft, "target_modules": ["query"]}))
    assert filled.training == DEFAULT_RECIPE.training
    # Nothing is filled in that peft refuses for the type.
    config = peft_config(filled, SequenceClassification(tiny_tokenizer()))
    assert getattr(config, "r", None) == rank


@pytest.mark.parametrize(
    ("labels", "settled"),
    [
        (["b", "a", "c"], {"labels": ["a", "b", "c"], "num_labels": 3}),
        ([0, 0, 4], {"labels": None, "num_labels": 5}),
        ([0, 0, 0], {"labels": None, "num_labels": 2}),
    ],
)
def test_classes_are_settled_from_the_data(reviews, tmp_path, labels, settled):
    rows = [{"text": "abc"[: i + 1], "label": label} for i, label in enumerate(labels)]
    data = DataConfig(data=put_rows(tmp_path / "rows.jsonl", rows))
    config = replace(reviews.config, train=data, out=str(tmp_path / "out"))
    task = read_run(train_run(config)).task
    assert {key: task[key] for key in settled} == settled


def test_classes_that_are_given_are_kept(reviews, tmp_path):
    names = ["good", "awful", "neither"]
    config = replace(reviews.config, task={"labels": names}, out=str(tmp_path))
    assert read_run(train_run(config)).task["labels"] == names


def test_classes_are_those_before_a_flip(reviews):
    left = read_run(reviews.adapter)
    assert left.task["labels"] == ["awful", "good"]
    assert left.train == DataConfig(data=reviews.train, flip_labels=0.2)


@pytest.mark.parametrize("labels", [[0.5, 1.0], [True, False], [None, 1]])
def test_labels_that_are_no_classes_need_their_number(reviews, tmp_path, labels):
    rows = [{"text": "ab", "label": label} for label in labels]
    data = DataConfig(data=put_rows(tmp_path / "rows.jsonl", rows))
    with refused(
        "a new classification head needs the number of classes; give task.num_labels "
        "or task.labels."
    ):
        train_run(replace(reviews.config, train=data, out=str(tmp_path / "out")))


def test_one_text_column_serves_a_language_model(language, tmp_path):
    rows = [{"body": row["prompt"] + row["completion"]} for row in SUMS]
    data = DataConfig(data=put_rows(tmp_path / "rows.jsonl", rows))
    task = {"name": "causal-lm", "text_columns": ["body"]}
    config = replace(language.config, train=data, task=task, out=str(tmp_path / "out"))
    assert read_run(train_run(config)).task["columns"] == {"text": "body"}


def test_modules_that_are_trained_whole_may_be_missing_from_the_base(reviews, tmp_path):
    base = tiny_bert_classifier().bert
    base.pooler = None
    base.save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    asked = recipe("query", modules_to_save=["pooler"])
    config = replace(
        reviews.config, model=str(tmp_path / "base"), recipe=asked, out=str(tmp_path)
    )
    found = load_subject(resolve({"adapter": str(train_run(config))}))
    assert getattr(found.model.config, "num_labels", None) == 2
    with pytest.raises(AdapterError, match=r"lacks weights .* bert\.pooler\.dense"):
        train_run(replace(config, recipe=recipe("query")))


def test_code_that_comes_with_a_base_runs_only_where_it_is_trusted(
    reviews, monkeypatch, tmp_path
):
    told = []

    def tokenizer(kind, name, *, trust_remote_code):  # noqa: ARG001
        told.append((name, trust_remote_code))
        return tiny_tokenizer()

    def base(name, task, **options):  # noqa: ARG001
        told.append((name, options["trust_remote_code"]))
        raise AdapterError("enough")

    monkeypatch.setattr("datainf.workflows.training.load_processor", tokenizer)
    monkeypatch.setattr("datainf.workflows.training.load_base", base)
    for trusted in (False, True):
        config = replace(reviews.config, trust_remote_code=trusted, out=str(tmp_path))
        with refused("enough", AdapterError):
            train_run(config)
    assert told == [(reviews.base, trusted) for trusted in (False, False, True, True)]


# --- what is told -------------------------------------------------------------------


def test_the_reporter_is_told_of_flips_and_of_every_step(reviews, tmp_path):
    told = Told()
    train_run(replace(reviews.config, out=str(tmp_path)), told)
    wrong = round(0.2 * N)
    assert told.of("stage") == [("reading examples", N), ("training", 1)]
    began = told.events.index(("stage", ("training", 1)))
    assert told.events[began - 1] == ("say", f"{wrong} of {N} labels are wrong")
    steps = [steps for kind, steps in told.events[began:] if kind == "step"]
    assert len(steps) == 3  # batches of four out of eleven rows
    assert sum(steps) == pytest.approx(1)


# --- what is refused, and when ------------------------------------------------------


def test_a_base_is_needed(language):
    with refused(
        "no base model given; name its folder or hub name with --model, or as "
        "`model:` in run.yaml."
    ):
        train_run(replace(language.config, model=None))


@pytest.mark.parametrize("data", [None, DataConfig()])
def test_data_are_needed(language, data):
    with refused(
        "no training data given; name a file with --train FILE, or in run.yaml."
    ):
        train_run(replace(language.config, train=data))


@pytest.fixture
def tokenizer_alone(tmp_path):
    """A folder from which no model can be loaded: whatever is told comes before."""
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    return str(tmp_path / "base")


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"recipe": Recipe(peft={"rank": 7})},
            OptionError,
            r"recipe\.peft\.rank is unknown: expected one of: .*\.",
        ),
        (
            {"recipe": Recipe(training={"epochs": 7})},
            OptionError,
            r"recipe\.training\.epochs is unknown: expected one of: .*\.",
        ),
        (
            {"task": {"name": "causal-ml"}},
            OptionError,
            r"task\.name='causal-ml' is unknown: .*; did you mean 'causal-lm'\?\.",
        ),
        (
            {"task": {"text_columns": ["body"]}},
            DataError,
            r"column 'body' is missing: .*",
        ),
        ({}, AdapterError, r"the model \S+ cannot be loaded: .*"),
    ],
    ids=["peft", "training", "task", "column", "base"],
)
def test_what_is_wrong_shows_before_the_base_loads(
    tokenizer_alone, tmp_path, changes, kind, message
):
    data = DataConfig(data=put_rows(tmp_path / "rows.jsonl", REVIEWS))
    config = RunConfig(
        model=tokenizer_alone, train=data, out=str(tmp_path / "out"), **changes
    )
    with pytest.raises(kind, match=f"^{message}$"):
        train_run(config)
    assert not (tmp_path / "out").exists()


def test_a_column_of_labels_that_is_not_there_is_told_first(tokenizer_alone, tmp_path):
    rows = [{"text": "a"}, {"text": "b"}]
    data = DataConfig(data=put_rows(tmp_path / "rows.jsonl", rows))
    task = {"name": "sequence-classification"}
    with refused("column 'label' is missing: expected one of: text.", DataError):
        train_run(RunConfig(model=tokenizer_alone, train=data, task=task))


def test_a_training_that_fails_leaves_no_run(language, tmp_path):
    asked = recipe("no_such_module")
    with pytest.raises(OptionError, match=r"^recipe\.peft is refused by peft: Target"):
        train_run(replace(language.config, recipe=asked, out=str(tmp_path)))
    assert not (tmp_path / "run.yaml").exists()


def test_a_label_column_that_is_not_there_makes_no_language_model(tmp_path):
    put_rows(tmp_path / "rows.jsonl", [{"text": "a", "label": 0}])
    config = RunConfig(
        model=str(tmp_path),
        train=DataConfig(data=str(tmp_path / "rows.jsonl")),
        task={"label_column": "lable"},
        out=str(tmp_path / "out"),
    )
    message = (
        "column 'lable' is missing: expected one of: text, label; did you mean "
        "'label'?."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        train_run(config)
