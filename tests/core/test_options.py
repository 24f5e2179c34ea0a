"""Options: their words, ranges and descriptions."""

import dataclasses
import re

import pytest

from datainf.core.errors import OptionError
from datainf.core.options import (
    Blocks,
    CollectOptions,
    Normalize,
    Order,
    Parameters,
    Reduction,
    ScoreOptions,
    described,
    help_of,
    number,
    word,
)
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.store_dtype import StoreDtype


@pytest.mark.parametrize(
    "kind", [Blocks, Normalize, Order, Parameters, Reduction, StoreDtype]
)
def test_every_word_is_read_from_its_text(kind):
    assert [word(kind, member.value, "x") for member in kind] == list(kind)
    assert all(word(kind, member, "x") is member for member in kind)


def test_an_unknown_word_is_refused_with_those_there_are():
    message = (
        "order='oponents' is unknown: expected one of: proponents, opponents, "
        "magnitude; did you mean 'opponents'?."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$") as caught:
        word(Order, "oponents", "order")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "fp8"}, "dtype='fp8' is unknown: expected one of: fp32, bf16, fp16"),
        (
            {"parameters": "some"},
            "parameters='some' is unknown: expected one of: all, paper.",
        ),
        (
            {"output": "labels"},
            "output='labels' is unknown: expected one of: loss, margin, sampled.",
        ),
        ({"samples": 0}, "samples must be a whole number of at least 1, got 0."),
        ({"project": 0}, "project must be a whole number of at least 1, got 0."),
        (
            {"project_seed": -1},
            "project_seed must be a whole number of at least 0, got -1.",
        ),
        (
            {"sample_seed": -1},
            "sample_seed must be a whole number of at least 0, got -1.",
        ),
        (
            {"batch_tokens": 0},
            "batch_tokens must be a whole number of at least 1, got 0.",
        ),
        (
            {"shard_rows": 2.5},
            "shard_rows must be a whole number of at least 1, got 2.5",
        ),
    ],
)
def test_collect_options_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}"):
        CollectOptions(**options)


@pytest.mark.parametrize("name", ["blocks", "normalize"])
def test_score_options_refuse_unknown_words(name):
    with pytest.raises(
        OptionError, match=f"^{name}='some' is unknown: expected one of"
    ):
        ScoreOptions(**{name: "some"})  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [True, None, "much", float("nan"), -1, [1]])
def test_what_is_no_number_in_range_is_refused(given):
    message = f"damping must be a number of at least 0, got {given!r}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        number(given, "damping", least=0.0)


@pytest.mark.parametrize(
    ("given", "whole", "value"),
    [("1e-3", False, 1e-3), (2, False, 2.0), ("7", True, 7), (7.0, True, 7)],
)
def test_numbers_are_read_from_yaml_as_they_are_meant(given, whole, value):
    found = number(given, "x", least=0.0, whole=whole)
    assert found == value
    assert type(found) is type(value)


def test_agreement_is_true_false_or_left_out():
    message = "agreement must be true, false or left out, got 'yes'."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        ScoreOptions(agreement="yes")  # type: ignore[arg-type]
    assert [ScoreOptions(agreement=a).agreement for a in (None, True, False)] == [
        None,
        True,
        False,
    ]


def test_a_damping_out_of_range_is_refused():
    message = "damping must be a number of at least 0, got -1."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        ScoreOptions(damping=-1)


def test_words_become_members():
    collect = CollectOptions(dtype="bf16", parameters="paper", shard_rows=7)
    score = ScoreOptions(blocks="layer", normalize="example")
    assert (collect.dtype, collect.parameters) == (StoreDtype.BF16, Parameters.PAPER)
    assert (score.blocks, score.normalize) == (Blocks.LAYER, Normalize.EXAMPLE)


@pytest.mark.parametrize("owner", [CollectOptions, ScoreOptions, DataConfig])
def test_every_option_describes_itself_in_a_sentence(owner):
    for field in dataclasses.fields(owner):
        assert re.fullmatch(r"\S.*\.", help_of(owner, field.name)), field.name


def test_the_texts_of_a_run_describe_themselves():
    assert help_of(RunConfig, "adapter") == "The PEFT adapter: a folder or hub name."


def test_mutable_defaults_are_not_shared():
    @dataclasses.dataclass
    class Owner:
        names: list = described(["a"], "Names.")

    one, other = Owner(), Owner()
    one.names.append("b")
    assert other.names == ["a"]
