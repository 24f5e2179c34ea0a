"""From flags to what a command is given."""

import inspect
import re

import pytest

from datainf.cli.flags import Given, bind, pairs, signature, value_of
from datainf.core.errors import OptionError


def test_what_was_not_given_is_none():
    given = Given({"k": 3}, "place")
    assert (given["k"], given["out"], given.argument) == (3, None, "place")
    assert (Given()["k"], Given().argument) == (None, None)


def test_flags_are_arranged_as_in_run_yaml():
    given = Given(
        {
            "adapter": "a",
            "train": "t.jsonl",
            "limit": 7,
            "damping": 0.0,
            "rank": 2,
            "k": 3,
            "format": "json",
            "option": ["steps=5"],
        }
    )
    assert given.run_values() == {
        "adapter": "a",
        "train": {"data": "t.jsonl", "limit": 7},
        "score": {"damping": 0.0},
        "recipe": {"peft": {"r": 2}},
    }


def body(given: Given) -> None:
    """Say what was given."""
    raise NotImplementedError(given)


def test_the_signature_has_a_keyword_a_flag():
    found = signature(("out", "k", "dry_run", "target"), "SCORES").parameters
    assert list(found) == ["argument", "out", "k", "dry_run", "target"]
    assert {p.kind for p in found.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert {name: p.annotation for name, p in found.items()} == {
        "argument": str,
        "out": str | None,
        "k": int | None,
        "dry_run": bool,
        "target": list[str] | None,
    }
    assert found["k"].default.param_decls == ("--k", "-k")
    assert found["dry_run"].default.default is False


@pytest.mark.parametrize(
    ("argument", "kind", "default"),
    [("SCORES", str, ...), ("[RUN.yaml]", str | None, None)],
)
def test_an_argument_in_brackets_need_not_be_given(argument, kind, default):
    found = signature((), argument).parameters["argument"]
    assert found.annotation == kind
    assert found.default.default is default
    assert found.default.metavar == argument.strip("[]")


def test_without_an_argument_there_are_flags_alone():
    assert list(signature(("k",), None).parameters) == ["k"]


def test_the_bound_function_gathers_what_was_given():
    seen: list[Given] = []
    run = bind(seen.append, ("k", "limit", "dry_run", "target", "out"), "[RUN.yaml]")
    run(argument="a.yaml", k=0, limit=None, dry_run=False, target=(), out="")
    run(argument=None, k=None, limit=3, dry_run=True, target=("q", "v"), out=None)
    # Zero and an empty text are given; None, False and no texts are not.
    assert seen == [
        Given({"k": 0, "target": [], "out": ""}, "a.yaml"),
        Given({"limit": 3, "dry_run": True, "target": ["q", "v"]}, None),
    ]


def test_the_bound_function_looks_like_its_command():
    run = bind(body, ("k",), None)
    assert (run.__name__, run.__doc__) == ("body", "Say what was given.")
    assert list(inspect.signature(run).parameters) == ["k"]
    assert run.__annotations__ == {"k": int | None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("50", 50),
        ("-0.5", -0.5),
        ("1e-3", 1e-3),
        ("2E5", 2e5),
        ("-1.5e+2", -150.0),
        ("false", False),
        ("no", False),
        ("", None),
        ("mean", "mean"),
        ("e3", "e3"),
        ("[1, 2]", [1, 2]),
        ("[1", "[1"),
    ],
)
def test_a_value_is_read_as_it_is_meant(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


def test_pairs_are_taken_apart_at_the_first_sign():
    texts = ["steps=5", "name=a=b", "steps=7"]
    assert pairs(texts, "--option", "steps=50") == {"steps": 7, "name": "a=b"}
    assert pairs(None, "--option", "steps=50") == {}


def test_names_stay_texts():
    texts = ["prompt=no", "completion=7"]
    found = pairs(texts, "--column", "prompt=question", read=str)
    assert found == {"prompt": "no", "completion": "7"}


@pytest.mark.parametrize("text", ["steps", "=5", ""])
def test_a_text_that_is_no_pair_is_refused(text):
    message = f"--option {text!r} must be key=value, such as steps=50."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        pairs([text], "--option", "steps=50")
