"""Two and four processes make the store of one, to the bit, whatever befalls them."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
import torch

from datainf.integrations.ranks import ALONE
from datainf.store.parsing import read_manifest
from datainf.workflows.collect import collect
from datainf.workflows.collect_together import collect_together
from datainf.workflows.fill import Filling
from tests.cases import TokenTask, decoder
from tests.ranks import in_ranks
from tests.store.stores import files
from tests.workflows.collecting import ROWS, Told

MANY = [ROWS[i % len(ROWS)] for i in range(23)]
CUT = {"shard_rows": 3, "batch_tokens": 40}
SHARDS = 8


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The store that one process makes."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("whole") / "store"
    collect(decoder(), MANY, TokenTask(), out=out, **CUT)
    return files(out)


def collecting(out, rows=MANY, task=None, seconds=0.0, **options):
    """Make one process's part; gives what its reporter was told."""

    def work(ranks):
        told = Told()
        store = collect_together(
            decoder(),
            rows,
            task or TokenTask(),
            out=out,
            ranks=ranks,
            progress=told,
            round_seconds=seconds,
            **{**CUT, **options},
        )
        return [store is not None, sum(told.while_collecting("step"))]

    return work


def dying(out, how, **options):
    """As `collecting`, but the last process strikes at its second shard."""

    def work(ranks):
        write, calls = Filling.write, []

        def strike(self, writer, shard, advance):
            calls.append(shard.number)
            if ranks.here.rank == ranks.count - 1 and len(calls) == 2:
                how()
            return write(self, writer, shard, advance)

        Filling.write = strike
        return collecting(out, **options)(ranks)

    return work


@pytest.mark.parametrize(
    ("ranks", "seconds"), [(2, 0.0), (4, 60.0), (3, 0.01)]
)
def test_several_processes_make_the_store_of_one(whole, tmp_path, ranks, seconds):
    out = tmp_path / "store"
    ended = in_ranks(ranks, collecting(out, seconds=seconds), tmp_path / "ranks")
    assert [each.error for each in ended] == [None] * ranks
    assert files(out) == whole
    # The bar of the process that leads counts every example once.
    assert ended[0].value == [True, len(MANY)]
    assert not any(each.value[0] for each in ended[1:])


def test_there_may_be_more_processes_than_shards(tmp_path):
    one, out = tmp_path / "one", tmp_path / "store"
    collect(decoder(), MANY[:4], TokenTask(), out=one, **CUT)
    ended = in_ranks(4, collecting(out, rows=MANY[:4]), tmp_path / "ranks")
    assert [each.error for each in ended] == [None] * 4
    assert files(out) == files(one)


def test_a_finished_store_is_left_as_it_is(whole, tmp_path):
    out = tmp_path / "store"
    collect(decoder(), MANY, TokenTask(), out=out, **CUT)
    ended = in_ranks(2, collecting(out), tmp_path / "ranks")
    assert [each.value for each in ended] == [[True, 0], [False, 0]]
    assert files(out) == whole


def test_after_a_kill_another_number_of_processes_goes_on(whole, tmp_path):
    out = tmp_path / "store"

    def kill():
        os.kill(os.getpid(), signal.SIGKILL)

    ended = in_ranks(2, dying(out, kill), tmp_path / "ranks")
    assert ended[1].signal == signal.SIGKILL
    kind, message = ended[0].error
    assert (kind, message[:23]) == ("RankError", "another process ended (")
    there = len(read_manifest(out).shards)
    assert 0 < there < SHARDS
    ended = in_ranks(3, collecting(out), tmp_path / "again")
    assert [each.error for each in ended] == [None] * 3
    assert files(out) == whole


def test_a_kill_of_the_process_that_leads_loses_no_more(whole, tmp_path):
    out = tmp_path / "store"

    def work(ranks):
        if ranks.leads:
            os.kill(os.getpid(), signal.SIGKILL)

    def late(ranks):
        collecting(out)(ranks) if not ranks.leads else dying(
            out, lambda: work(ranks)
        )(ranks)

    def leader_dies(ranks):
        write, calls = Filling.write, []

        def strike(self, writer, shard, advance):
            calls.append(shard.number)
            if ranks.leads and len(calls) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(self, writer, shard, advance)

        Filling.write = strike
        return collecting(out)(ranks)

    ended = in_ranks(2, leader_dies, tmp_path / "ranks")
    assert ended[0].signal == signal.SIGKILL
    assert ended[1].error[0] == "RankError"
    collect(decoder(), MANY, TokenTask(), out=out, **CUT)
    assert files(out) == whole
