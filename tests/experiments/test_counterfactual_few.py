"""Single examples and dropped proponents: each table's numbers, and what is missing."""

from dataclasses import replace

import pytest

from datainf.experiments import counterfactual_few as pages
from datainf.experiments.tables import DASH

NAMES = {"dot": "dot", "cosine": "cosine", "loss": "the example's own loss"}


def single(**scores):
    """A result of leaving two examples out."""
    found = {
        name: {"loo": value, "low": value - 0.1, "high": value + 0.1}
        for name, value in scores.items()
    }
    return {"scores": found, "examples": [3, 5], "ceiling": None}


@pytest.fixture
def cell(judged):
    """Makes a cell of a named adapter."""
    findings, _ = judged
    (loo,) = (cell for cell, _ in findings.there() if cell.kind == "loo")
    return lambda name, kind="loo": replace(
        loo, judged=replace(loo.judged, name=name), kind=kind
    )


def test_how_far_behind_is_said_of_what_was_judged_everywhere(cell):
    found = [
        (cell("a"), single(dot=0.2, cosine=0.5)),
        (cell("b"), single(dot=0.41, loss=0.4)),
    ]
    _, said, table = pages.singles(found, NAMES)
    assert said.startswith("2 single examples of each")
    head, _, *lines = table.splitlines()
    assert head == "| scores | a | b | most behind the best |"
    assert lines == [
        "| dot | .200 (.100 to .300) | .410 (.310 to .510) | .300 |",
        f"| cosine | .500 (.400 to .600) | {DASH} | {DASH} |",
        f"| the example's own loss | {DASH} | .400 (.300 to .500) | {DASH} |",
        "| best of all options | .500 | .410 |  |",
        f"| ceiling | {DASH} | {DASH} |  |",
    ]


def test_other_numbers_of_examples_are_all_said(cell):
    found = [(cell("a"), single(dot=0.2)), (cell("b"), single(dot=0.4))]
    found[1][1]["examples"].append(7)
    assert pages.singles(found, NAMES)[1].startswith("2 and 3 single examples of each")


def test_every_option_is_listed_those_that_the_first_table_leaves_out_too(cell):
    found = [(cell("a"), single(dot=0.2, lissa=0.3)), (cell("b"), single(dot=0.4))]
    assert "lissa" not in pages.singles(found, NAMES)[-1]
    assert pages.every_single(found)[-1].splitlines()[2:] == [
        "| `dot` | .200 (.100 to .300) | .400 (.300 to .500) |",
        f"| `lissa` | .300 (.200 to .400) | {DASH} |",
    ]


def test_the_best_is_that_of_all_options_not_of_those_shown(cell):
    table = pages.singles([(cell("a"), single(dot=0.2, lissa=0.3))], NAMES)[-1]
    assert "| dot | .200 (.100 to .300) | .100 |" in table


def test_dropped_proponents_stand_with_their_sets_and_intervals(cell):
    row = {"scores": "dot", "effect": 0.5, "low": -0.25, "high": 0.75}
    result = {"scores": [{**row, "dropped": 7, "random_sets": 11}]}
    _, said, table = pages.pruned([(cell("a", "prune"), result)])
    assert "less the mean rise of 11 random sets" in said
    assert table.splitlines()[0] == "| scores | a, 7 dropped |"
    assert table.splitlines()[2] == "| `dot` | 0.500 (−0.250 to 0.750) |"


def test_what_was_not_judged_is_not_mentioned(cell):
    assert pages.pruned([(cell("a"), single(dot=0.2))]) == []
    assert pages.singles([], NAMES) == []
    assert pages.every_single([]) == []
    assert pages.drawn([(cell("a", "lds"), {})]) == []
    assert "counterfactual-few.svg" in pages.drawn([(cell("a"), single(dot=0.2))])[0]
