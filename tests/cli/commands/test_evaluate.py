"""`datainf evaluate`: lds unless named; a mistake is told before any training."""

import pytest

from tests.cli.command import datainf, refused


@pytest.mark.parametrize("named", [("lds",), ()])
def test_lds_is_meant_where_no_command_is_named(named):
    said = refused("evaluate", *named, "--method", "exakt", "--queries", "x.jsonl")
    assert said.startswith("method='exakt' is unknown: expected one of")


def test_the_group_lists_its_commands():
    ran = datainf("evaluate", "--help")
    assert (ran.code, ran.err) == (0, "")
    for word in ("lds", "loo", "prune"):
        assert f" {word} " in ran.out


@pytest.mark.parametrize("command", ["lds", "loo", "prune"])
def test_queries_are_asked_for(command):
    said = refused("evaluate", command)
    assert said == (
        "no queries given; name a file with --queries FILE, or in run.yaml."
    )
