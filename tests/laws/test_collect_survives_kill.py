"""A collection killed at ten random moments ends like one that was not."""

import json

import pytest

from datainf.store.verify import verify
from tests.processes import python
from tests.store.stores import files
from tests.workflows.killed_collect import KILLS


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    """Run the killings once; give their folder and what was seen on the way."""
    folder = tmp_path_factory.mktemp("kills")
    done = python("-m", "tests.workflows.killed_collect", folder, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_collection_killed_at_ten_random_moments_ends_bit_identical(kills):
    folder, seen = kills
    assert seen["kills"] == KILLS
    assert verify(folder / "whole").ok
    for run in range(seen["runs"]):
        assert files(folder / f"moments-{run}") == files(folder / "whole"), run


def test_kills_hit_in_the_middle_of_the_pass(kills):
    folder, seen = kills
    whole = len(list((folder / "whole").glob("shard-*")))
    assert any(0 < stood < whole for stood in seen["stood"])


def test_no_partial_shard_is_ever_accepted(kills):
    _, seen = kills
    assert seen["faults"] == []
