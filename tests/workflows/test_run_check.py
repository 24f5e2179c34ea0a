"""Values of the wrong kind in run.yaml are told by their key."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.workflows.run_check import check_kinds

TEXT, SWITCH, MAPPING = "a text; put it in quotes", "true or false", "a mapping"


@pytest.mark.parametrize(
    ("values", "key", "kind", "given"),
    [
        ({"model": 7}, "model", TEXT, "7"),
        ({"adapter": ["a"]}, "adapter", TEXT, "['a']"),
        ({"out": False}, "out", TEXT, "False"),
        ({"trust_remote_code": "yes"}, "trust_remote_code", SWITCH, "'yes'"),
        ({"task": "causal-lm"}, "task", MAPPING, "'causal-lm'"),
        ({"train": {"data": True}}, "train.data", TEXT, "True"),
        ({"train": {"data": None}}, "train.data", TEXT, "None"),
        ({"queries": {"split": 3}}, "queries.split", TEXT, "3"),
        ({"collect": {"store_text": 1}}, "collect.store_text", SWITCH, "1"),
        ({"score": {"method": {}}}, "score.method", TEXT, "{}"),
        ({"score": {"keep_blocks": "no"}}, "score.keep_blocks", SWITCH, "'no'"),
        ({"score": {"options": [["a", 1]]}}, "score.options", MAPPING, "[['a', 1]]"),
        ({"score": {"options": None}}, "score.options", MAPPING, "None"),
        ({"recipe": {"peft": "LORA"}}, "recipe.peft", MAPPING, "'LORA'"),
        ({"recipe": {"training": 3}}, "recipe.training", MAPPING, "3"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_by_its_key(values, key, kind, given):
    message = f"run.yaml: {key} must be {kind}, got {given}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        check_kinds(values)


@pytest.mark.parametrize(
    "values",
    [
        {"model": "base", "trust_remote_code": True, "precision": "auto"},
        {"task": {"name": "causal-lm", "max_length": 7}, "recipe": {"peft": {"r": 2}}},
        {"train": {"data": "a.jsonl", "split": None, "truth": None, "limit": 7}},
        {"collect": {"store_text": False}, "score": {"options": {}, "damping": None}},
    ],
    ids="-".join,
)
def test_right_kinds_pass(values):
    check_kinds(values)


@pytest.mark.parametrize("key", ["task", "model", "collect", "train", "recipe"])
def test_a_key_with_nothing_after_it_passes(key):
    check_kinds({key: None})


def test_numbers_unknown_keys_and_broken_sections_are_left_to_those_who_use_them():
    check_kinds({"adaptor": 7, "train": {"dat": 7}, "collect": "fp32", "format": 1})
    check_kinds({"train": {"limit": "many"}, "score": {"damping": "much"}})
