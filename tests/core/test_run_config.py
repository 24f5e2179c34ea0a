"""run.yaml's values: what is refused, and that writing and reading agree."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig

FULL = RunConfig(
    model="base",
    adapter="adapter",
    task={"name": "causal-lm", "columns": {"prompt": "q"}, "max_length": None},
    train=DataConfig(data="train.jsonl", split="train", limit=7, flip_labels=0.2),
    queries=DataConfig(data="q.jsonl"),
    collect=CollectOptions(dtype="bf16", shard_rows=11),
    score=ScoreOptions(method="lissa", options={"steps": 5}, blocks="layer"),
    recipe=Recipe(peft={"r": 4, "target_modules": ["q_proj"]}, seed=3),
    out="runs/x",
)


def test_writing_and_reading_agree_but_for_what_was_left_open():
    again = RunConfig.from_dict(FULL.to_dict("0.1.0"))
    assert again.task == {"name": "causal-lm", "columns": {"prompt": "q"}}
    assert again.to_dict("0.1.0") == FULL.to_dict("0.1.0")
    for name in ("model", "train", "queries", "collect", "score", "recipe", "out"):
        assert getattr(again, name) == getattr(FULL, name)


def test_an_empty_run_is_all_defaults():
    assert RunConfig.from_dict({}) == RunConfig()
    assert RunConfig.from_dict(RunConfig().to_dict("0.1.0")) == RunConfig()


def test_the_version_stands_first_and_is_not_checked():
    assert list(FULL.to_dict("9.9"))[:2] == ["datainf", "format"]
    assert RunConfig.from_dict({"datainf": "9.9"}) == RunConfig()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"format": 2},
            "run.yaml has format 2, this version reads 1; use the version of datainf "
            "that is written in the file.",
        ),
        (
            {"adaptor": "x"},
            "run.yaml: adaptor is unknown: expected one of: model, adapter, task, train, "
            "queries, collect, score, recipe, out; did you mean 'adapter'?.",
        ),
        (
            {"train": {"dat": "x"}},
            "run.yaml: train.dat is unknown: expected one of: data, split, limit, truth, "
            "flip_labels, flip_seed; did you mean 'data'?.",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(value, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        RunConfig.from_dict(value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip_labels": 1.0}, "flip_labels must lie in [0, 1), got 1.0."),
        ({"flip_labels": -0.1}, "flip_labels must lie in [0, 1), got -0.1."),
        ({"limit": 0}, "limit must be at least 1, got 0."),
        (
            {"truth": "gt", "flip_labels": 0.1},
            "truth and flip_labels exclude each other: give the column of right labels, "
            "or flip some of them.",
        ),
    ],
)
def test_data_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        DataConfig(data="x", **options)
