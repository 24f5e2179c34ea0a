"""From the adapter of run.yaml to a model and its task."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from datainf.core.errors import AdapterError, OptionError
from datainf.core.run_config import RunConfig
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.table import TASKS
from datainf.workflows.subject import load_subject
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_llama,
    tiny_tokenizer,
    with_lora,
)

CLASSES = 5


def refused(message, kind=OptionError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def put(folder, model, task_type):
    """Save a base, an adapter on it and, beside the adapter, its tokenizer."""
    model.save_pretrained(folder / "base")
    model.config._name_or_path = str(folder / "base")
    adapted = with_lora(model, task_type)
    adapted.peft_config["default"].base_model_name_or_path = str(folder / "base")
    adapted.save_pretrained(folder / "adapter", save_embedding_layers=False)
    tiny_tokenizer().save_pretrained(folder / "adapter")
    return RunConfig(adapter=str(folder / "adapter"))


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    return put(tmp_path_factory.mktemp("language"), tiny_llama(), "CAUSAL_LM")


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    model = tiny_bert_classifier(CLASSES)
    return put(tmp_path_factory.mktemp("reviews"), model, "SEQ_CLS")


def test_the_adapter_tells_the_task(language, reviews):
    subject = load_subject(language)
    assert isinstance(subject.task, CausalLM)
    assert subject.task.tokenizer is subject.tokenizer
    assert not subject.model.training
    assert isinstance(load_subject(reviews).task, SequenceClassification)


@pytest.mark.parametrize("run", ["language", "reviews"])
def test_the_base_tells_the_task_where_the_adapter_does_not(tmp_path, run, request):
    config = request.getfixturevalue(run)
    made = Path(config.adapter, "adapter_config.json")
    values = {**json.loads(made.read_text()), "task_type": None}
    folder = tmp_path / "adapter"
    folder.mkdir()
    for file in made.parent.iterdir():
        if file != made:
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / made.name).write_text(json.dumps(values))
    found = load_subject(RunConfig(adapter=str(folder)))
    assert found.task.settings() == load_subject(config).task.settings()


@pytest.mark.parametrize("settings", [{}, {"num_labels": None}, {"num_labels": 5}])
def test_the_number_of_classes_is_the_models(reviews, settings):
    task = load_subject(replace(reviews, task=settings)).task
    assert task.settings()["num_labels"] == CLASSES


def test_named_classes_are_counted_by_their_names(reviews):
    names = ["a", "b", "c", "d", "e"]
    task = load_subject(replace(reviews, task={"labels": names})).task
    assert task.settings()["labels"] == names
    assert task.settings()["num_labels"] == CLASSES


def test_settings_reach_the_task(language):
    settings = {"append_eos": False, "max_length": 7, "reduction": "sum"}
    task = load_subject(replace(language, task=settings)).task
    assert {**task.settings(), **settings} == task.settings()


def test_one_text_column_serves_either_task(language, reviews):
    settings = {"text_columns": ["body"]}
    assert load_subject(replace(language, task=settings)).task.settings()[
        "columns"
    ] == {"text": "body"}
    assert load_subject(replace(reviews, task=settings)).task.settings()[
        "text_columns"
    ] == ["body"]


@pytest.mark.parametrize("given", [True, False])
def test_the_base_is_the_runs_where_it_names_one(language, tmp_path, given):
    tiny_llama(seed=1).save_pretrained(tmp_path)
    config = replace(language, model=str(tmp_path) if given else None)
    model: Any = load_subject(config).model
    weight = tiny_llama(seed=int(given)).lm_head.weight
    assert torch.equal(model.get_base_model().lm_head.weight.cpu(), weight)


def test_the_precision_reaches_the_base(language):
    model: Any = load_subject(replace(language, precision="bfloat16")).model
    assert model.get_base_model().lm_head.weight.dtype == torch.bfloat16


def test_code_that_comes_with_a_base_runs_only_where_it_is_trusted(
    language, monkeypatch
):
    told = []

    def load(name, **options):
        told.append((name, options["trust_remote_code"]))
        raise AdapterError("enough")

    monkeypatch.setattr("datainf.workflows.subject.load_adapter", load)
    for trusted in (False, True):
        with refused("enough", AdapterError):
            load_subject(replace(language, trust_remote_code=trusted))
    assert told == [(language.adapter, False), (language.adapter, True)]


# --- what is refused ----------------------------------------------------------------


def test_without_an_adapter_there_is_nothing_to_ask():
    with refused(
        "no adapter given; name its folder with --adapter, or as `adapter:` in "
        "run.yaml."
    ):
        load_subject(RunConfig(model="base"))


@pytest.mark.parametrize(
    ("run", "name", "message"),
    [
        (
            "language",
            "sequence-classification",
            "the adapter was trained for CAUSAL_LM, the task sequence-classification "
            "needs SEQ_CLS; use the task causal-lm.",
        ),
        (
            "reviews",
            "causal-lm",
            "the adapter was trained for SEQ_CLS, the task causal-lm needs CAUSAL_LM; "
            "use the task sequence-classification.",
        ),
    ],
)
def test_a_task_that_the_adapter_was_not_trained_for_is_refused(
    run, name, message, request
):
    config = request.getfixturevalue(run)
    with refused(message, AdapterError):
        load_subject(replace(config, task={"name": name}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"name": "causal-ml"},
            "task.name='causal-ml' is unknown: expected one of: "
            f"{', '.join(TASKS)}; did you mean 'causal-lm'?.",
        ),
        (
            {"border": "jointly"},
            "border='jointly' is unknown: expected one of: separate, joint; did you "
            "mean 'joint'?.",
        ),
        (
            {"tokenizer": {"vocab_size": 7}},
            "task.tokenizer was recorded for another tokenizer: vocab_size, "
            "special_ids, split_special_tokens, backend differ; use the tokenizer of "
            "that run, or take the entry out.",
        ),
    ],
)
def test_settings_that_the_task_does_not_take_are_refused(language, settings, message):
    with refused(message):
        load_subject(replace(language, task=settings))


def test_one_model_over_all_gpus_is_no_work_for_two_processes_of_a_machine(
    tmp_path, monkeypatch
):
    config = RunConfig(adapter=str(tmp_path), device_map="balanced")
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with refused(
        "device_map='balanced' splits one model over all GPUs of a machine, and 4 "
        "processes were started on this one; start one a machine (--nproc-per-node 1), "
        "or leave it out."
    ):
        load_subject(config)
