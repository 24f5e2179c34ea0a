"""A store whose writer is killed, at whatever moment, ends like one that was not."""

import json

import pytest

from datainf.store.verify import verify
from tests.processes import python
from tests.store.killed import KILLS
from tests.store.stores import files


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    """Run the killings once; give their folder and what was seen on the way."""
    folder = tmp_path_factory.mktemp("kills")
    done = python("-m", "tests.store.killed", folder, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_store_killed_at_random_moments_ends_bit_identical(kills):
    folder, seen = kills
    assert seen["moments"] == KILLS
    assert files(folder / "moments") == files(folder / "whole")


def test_a_store_killed_at_any_step_of_writing_ends_bit_identical(kills):
    folder, seen = kills
    # A file takes four: it is new, flushed, renamed, its folder flushed. Each of the
    # eight shards writes two files, four of them note a halving; three more files.
    assert seen["steps"] == 4 * (8 * 2 + 4 + 3)
    for step in range(seen["steps"]):
        assert files(folder / f"step-{step}") == files(folder / "whole"), step


def test_no_partial_shard_is_ever_accepted(kills):
    folder, seen = kills
    assert seen["faults"] == []
    assert verify(folder / "whole").ok
