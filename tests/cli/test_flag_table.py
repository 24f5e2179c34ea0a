"""The table of flags: each means one thing, and leads to a place in run.yaml."""

import re
from collections import Counter
from dataclasses import fields
from typing import Any

import pytest

from datainf.cli import flag_table
from datainf.cli.flag import COLLECT, DATA, MODEL, RECIPE
from datainf.cli.flag_table import FLAGS
from datainf.core.run_config import RunConfig
from datainf.workflows.run_check import check_kinds

GROUPS = {
    name: getattr(flag_table, name)
    for name in dir(flag_table)
    if name.startswith("FOR_")
}
PLACED = {name: flag for name, flag in FLAGS.items() if flag.path is not None}
# A value that the place of a flag takes; any of the flag's kind elsewhere.
VALUES = {
    "on_nonfinite": "skip",
    "dtype": "bf16",
    "parameters": "paper",
    "precision": "bfloat16",
    "device_map": "balanced",
    "blocks": "layer",
    "damping": "auto",
    "normalize": "example",
    "fisher": "sampled",
    "output": "margin",
    "target": ["q_proj"],
    "batch_order": "kept",
}
ANY = {str: "word", int: 7, float: 0.25, bool: True}


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_describes_itself_in_a_sentence(name):
    assert re.fullmatch(r"\S.*\.", FLAGS[name].help)


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_is_typed_like_its_name(name):
    long = FLAGS[name].names[0]
    assert re.fullmatch(r"--[a-z]+(-[a-z]+)*", long)
    stores = {"train_store": "--train", "query_store": "--queries"}
    folders = (
        *("report_file", "adapter_folder", "store_folder", "scores_folder"),
        *("clean_file", "select_file"),
    )
    meant = {**stores, **dict.fromkeys(folders, "--out"), "methods": "--method"}
    assert long == meant.get(name, "--" + name.replace("_", "-"))


def test_flags_of_one_name_are_those_of_different_commands():
    """`score` reads stores, `report` writes a file, `evaluate` takes many methods."""
    counts = Counter(flag.names[0] for flag in FLAGS.values())
    assert {name for name, count in counts.items() if count > 1} == {
        "--train",
        "--queries",
        "--out",
        "--method",
    }


@pytest.mark.parametrize("name", PLACED)
def test_every_path_leads_to_a_place_in_run_yaml(name):
    path, kind = PLACED[name].path or (), PLACED[name].kind
    value = VALUES.get(name, ANY[kind])
    if PLACED[name].many and not isinstance(value, list):
        value = [value]
    asked: dict[str, Any] = {path[-1]: value}
    for key in reversed(path[:-1]):
        asked = {key: asked}
    check_kinds(asked)
    written: Any = RunConfig.from_dict(asked).to_dict("0")
    for key in path:
        written = written[key]
    assert written == value


def test_every_section_of_run_yaml_can_be_reached_by_a_flag():
    reached = {flag.path[0] for flag in PLACED.values() if flag.path}
    assert reached == {f.name for f in fields(RunConfig)}


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_holds_flags_of_the_table_once(group):
    names = GROUPS[group]
    assert set(names) <= set(FLAGS)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("group", "panel"),
    [
        ("FOR_BASE", MODEL),
        ("FOR_TASK", MODEL),
        ("FOR_TRAIN", DATA),
        ("FOR_COLLECT", COLLECT),
        ("FOR_RECIPE", RECIPE),
    ],
)
def test_a_group_stands_under_one_heading(group, panel):
    assert {FLAGS[name].panel for name in GROUPS[group]} == {panel}


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_says_whether_it_can_be_repeated(name):
    said = re.search("repeatable|twice", FLAGS[name].help)
    assert (said is not None) == FLAGS[name].many


def test_switches_are_never_repeatable():
    assert [n for n, flag in FLAGS.items() if flag.kind is bool and flag.many] == []
