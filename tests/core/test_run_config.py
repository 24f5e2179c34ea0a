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


def test_what_is_written_is_read_back_equal():
    assert RunConfig.from_dict(FULL.to_dict("0.1.0")) == FULL


def test_what_was_left_open_is_not_written():
    written = FULL.to_dict("0.1.0")
    assert "truth" not in written["train"]
    assert "damping" not in written["score"]
    assert "recipe" not in RunConfig().to_dict("0.1.0")


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
            "run.yaml: adaptor is unknown: expected one of: model, adapter, precision, "
            "device_map, "
            "trust_remote_code, task, train, queries, curvature, collect, score, "
            "recipe, evaluate, group_by, tokens, checkpoints, checkpoint_limit, "
            "out; did you mean 'adapter'?.",
        ),
        (
            {"train": "train.jsonl"},
            "run.yaml: train must be a mapping (`train:` and indented lines `name: "
            "value` "
            "below it), got 'train.jsonl'.",
        ),
        (
            {"task": "causal-lm"},
            "run.yaml: task must be a mapping (`task:` and indented lines `name: "
            "value` "
            "below it), got 'causal-lm'.",
        ),
        (
            {"train": {"dat": "x"}},
            "run.yaml: train.dat is unknown: expected one of: data, split, limit, "
            "truth, "
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
        (
            {"flip_labels": 1.0},
            "flip_labels must be a number of at least 0 and below 1, got 1.0.",
        ),
        (
            {"flip_labels": -0.1},
            "flip_labels must be a number of at least 0 and below 1, got -0.1.",
        ),
        ({"limit": 0}, "limit must be a whole number of at least 1, got 0."),
        (
            {"flip_seed": 1.5},
            "flip_seed must be a whole number of at least 0, got 1.5.",
        ),
        (
            {"truth": "gt", "flip_labels": 0.1},
            "truth and flip_labels exclude each other: give the column of right "
            "labels, "
            "or flip some of them.",
        ),
    ],
)
def test_data_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        DataConfig(data="x", **options)
