"""Two and four processes make the store of one, to the bit, whatever befalls them."""

import errno
import os
import re
import signal
import warnings
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from datainf.core.errors import OptionError
from datainf.integrations.ranks import ALONE
from datainf.store.parsing import read_manifest
from datainf.workflows.collect import collect
from datainf.workflows.collect_together import collect_together
from datainf.workflows.fill import Filling
from tests.cases import TokenTask, decoder
from tests.ranks import FINE, in_ranks
from tests.store.stores import files
from tests.workflows.collecting import ROWS, Told

MANY = [ROWS[i % len(ROWS)] for i in range(23)]
CUT: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 40}
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


def struck(out, rank, shard, strike, **options):
    """As `collecting`, but a process strikes before it makes its so-manieth shard."""

    def work(ranks):
        write, calls = Filling.write, []

        def stricken(self, writer, pending, advance):
            calls.append(pending.number)
            if ranks.here.rank == rank and len(calls) == shard:
                strike()
            return write(self, writer, pending, advance)

        Filling.write = stricken  # type: ignore[method-assign]
        return collecting(out, **options)(ranks)

    return work


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("ranks", "seconds"), [(2, 0.0), (4, 60.0), (3, 0.01)])
def test_several_processes_make_the_store_of_one(whole, tmp_path, ranks, seconds):
    out = tmp_path / "store"
    ended = in_ranks(ranks, collecting(out, seconds=seconds), tmp_path / "ranks")
    assert [each.error for each in ended] == [FINE] * ranks
    assert files(out) == whole
    # The bar of the process that leads counts every example once.
    assert ended[0].value == [True, len(MANY)]
    assert not any(each.value[0] for each in ended[1:])


def test_there_may_be_more_processes_than_shards(tmp_path):
    one, out = tmp_path / "one", tmp_path / "store"
    collect(decoder(), MANY[:4], TokenTask(), out=one, **CUT)
    ended = in_ranks(4, collecting(out, rows=MANY[:4]), tmp_path / "ranks")
    assert [each.error for each in ended] == [FINE] * 4
    assert files(out) == files(one)


def test_a_finished_store_is_left_as_it_is(whole, tmp_path):
    out = tmp_path / "store"
    collect(decoder(), MANY, TokenTask(), out=out, **CUT)
    ended = in_ranks(2, collecting(out), tmp_path / "ranks")
    assert [each.value for each in ended] == [[True, 0], [False, 0]]
    assert files(out) == whole


def test_after_a_kill_another_number_of_processes_goes_on(whole, tmp_path):
    out = tmp_path / "store"
    ended = in_ranks(2, struck(out, 1, 2, kill), tmp_path / "ranks")
    assert ended[1].signal == signal.SIGKILL
    assert ended[0].error[0] == "RankError"
    assert "another process ended (" in ended[0].error[1]
    assert 0 < len(read_manifest(out).shards) < SHARDS
    ended = in_ranks(3, collecting(out), tmp_path / "again")
    assert [each.error for each in ended] == [FINE] * 3
    assert files(out) == whole


def test_after_a_kill_of_the_one_that_leads_a_single_process_goes_on(whole, tmp_path):
    out = tmp_path / "store"
    ended = in_ranks(2, struck(out, 0, 3, kill), tmp_path / "ranks")
    assert ended[0].signal == signal.SIGKILL
    assert ended[1].error[0] == "RankError"
    collect(decoder(), MANY, TokenTask(), out=out, **CUT)
    assert files(out) == whole


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_by_name_and_loses_no_finished_shard(whole, tmp_path):
    out = tmp_path / "store"

    def fill_up():
        os.fsync = full  # every file that is written from here on

    ended = in_ranks(2, struck(out, 1, 2, fill_up, seconds=60), tmp_path / "ranks")
    kind, message = ended[0].error
    assert kind == "RankError"
    assert message.startswith("rank 1 of 2 (here): the disk is full: ")
    assert ended[1].error[0] == "RankError"
    # Its own four, and the one that the other had finished before.
    assert len(read_manifest(out).shards) == 5
    in_ranks(2, collecting(out), tmp_path / "again")
    assert files(out) == whole


def no_memory(*_, **__):
    raise torch.OutOfMemoryError("out of memory")


def test_memory_that_runs_out_for_good_is_told_by_name_and_resumed(whole, tmp_path):
    out = tmp_path / "store"

    def eat():
        TokenTask.losses = no_memory  # type: ignore[method-assign]

    ended = in_ranks(2, struck(out, 1, 2, eat), tmp_path / "ranks")
    kind, message = ended[0].error
    assert kind == "RankError"
    assert message.startswith("rank 1 of 2 (here): ")
    assert "memory" in message
    assert len(read_manifest(out).shards) > 0
    in_ranks(2, collecting(out), tmp_path / "again")
    halved = {shard.number for shard in read_manifest(out).shards if shard.halved_at}
    same = {f"shard-{n:05d}.safetensors" for n in range(SHARDS) if n not in halved}
    assert {name: files(out)[name] for name in same} == {n: whole[n] for n in same}


@dataclass(frozen=True)
class Spoilt(TokenTask):
    """Rows of these lengths have a loss of NaN."""

    lengths: tuple[int, ...] = (13, 17)

    def losses(self, model, batch):
        found = super().losses(model, batch)
        lengths = batch["attention_mask"].sum(dim=1)
        bad = torch.isin(lengths, torch.tensor(self.lengths))
        return found * torch.where(bad, torch.nan, 1.0)


def test_rows_that_are_no_number_are_left_out_as_by_one_process(tmp_path):
    one, out = tmp_path / "one", tmp_path / "store"
    warnings.simplefilter("ignore")
    collect(decoder(), MANY, Spoilt(), out=one, on_nonfinite="skip", **CUT)
    work = collecting(out, task=Spoilt(), on_nonfinite="skip")
    ended = in_ranks(2, work, tmp_path / "ranks")
    assert [each.error for each in ended] == [FINE] * 2
    assert files(out) == files(one)
    assert ended[0].value == [True, len(MANY)]


def test_processes_that_were_given_other_data_are_refused(tmp_path):
    def work(ranks):
        return collecting(tmp_path / "store", rows=MANY[ranks.here.rank :])(ranks)

    ended = in_ranks(2, work, tmp_path / "ranks")
    assert ended[0].error == (
        "RankError",
        "the model, adapter, task or data of rank 1 of 2 (here) are not those of rank "
        "0 of 2 (here); give every process the same files.",
    )
    assert ended[1].error[0] == "RankError"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("option", [{"factors": True}, {"reuse": "older"}])
def test_what_one_process_has_to_do_is_refused(tmp_path, option):
    (name,) = option
    message = (
        f"--{name} is the work of one process; run it without a launcher. (Factors are "
        "added to a finished store by the same command.)"
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        collecting(tmp_path / "store", **option)(ALONE)
