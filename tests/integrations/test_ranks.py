"""Processes that tell each other, add up, and never wait for ever."""

import os
import re
import signal

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError, StoreError
from datainf.core.launch import Launch
from datainf.integrations.ranks import ALONE, Ranks, joined
from tests.ranks import FINE, in_ranks

OF = ("rank 0 of 2 (here)", "rank 1 of 2 (here)")


def what_is_exchanged(ranks):
    me = ranks.here.rank
    rows = [range(4), range(4, 4), range(4, 7), range(7, 9)][me]
    share = ranks.share(rows)
    own = torch.arange(9.0)[None, share.columns] * torch.tensor([[1.0], [10.0]])
    return {
        "told": ranks.told({"naïve ☃": "x" * me}),
        "sum": share.add_up(torch.full((2, 3), 10.0**me)).tolist(),
        "largest": share.largest(torch.tensor([me, -me])).tolist(),
        "least": share.least(5.0 - me),
        "spread": share.spread(own, 9).tolist(),
        "bring": share.bring(own).tolist(),
    }


def test_four_processes_tell_add_up_and_bring_together(tmp_path):
    ended = in_ranks(4, what_is_exchanged, tmp_path)
    assert [each.error for each in ended] == [FINE] * 4
    whole = np.outer([1, 10], np.arange(9.0)).tolist()
    for rank, each in enumerate(ended):
        found = each.value
        assert found["told"] == [{"naïve ☃": "x" * k} for k in range(4)]
        assert found["sum"] == [[1111.0] * 3] * 2
        assert found["largest"] == [3, 0]
        assert found["least"] == 2.0
        assert found["spread"] == whole
        own = slice([0, 4, 4, 7][rank], [9, 4, 7, 9][rank])
        assert found["bring"] == [row[own] for row in whole]


def fails_on(bad, error):
    def work(ranks):
        with ranks.step():
            if ranks.here.rank in bad:
                raise error
        return "went on"

    return work


def test_all_stop_where_one_fails_and_the_leader_names_it(tmp_path):
    first, second = in_ranks(2, fails_on([1], StoreError("the disk is full")), tmp_path)
    assert first.error == ("RankError", f"{OF[1]}: the disk is full")
    assert second.error[0] == "RankError"


def test_what_fails_everywhere_is_told_as_it_is(tmp_path):
    ended = in_ranks(2, fails_on([0, 1], OptionError("no such method")), tmp_path)
    assert [each.error for each in ended] == [("RankError", "no such method")] * 2


def test_a_bug_keeps_its_own_traceback(tmp_path):
    ended = in_ranks(2, fails_on([1], KeyError("x")), tmp_path)
    assert ended[0].error == ("RankError", f"{OF[1]}: KeyError('x')")
    assert ended[1].error == ("KeyError", "'x'")


def killed(ranks):
    if ranks.here.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return ranks.told("are you there?")


def silent(ranks):
    if ranks.here.rank == 1:
        signal.alarm(3)
        signal.pause()
    return ranks.told("are you there?")


@pytest.mark.parametrize(("work", "timeout"), [(killed, 50), (silent, 1)])
def test_nobody_waits_for_ever_for_a_process_that_is_gone(tmp_path, work, timeout):
    ended = in_ranks(2, work, tmp_path, timeout=timeout, within=30)
    assert ended[1].signal
    kind, message = ended[0].error
    assert kind == "RankError"
    assert re.fullmatch(
        r"rank 0 of 2 \(here\): another process ended \(its own line says why; without "
        rf"one it was killed, or its machine is gone\) or was silent for {timeout} s: "
        r".+\. What is finished is kept: run the same command again, with as many "
        r"ranks as there are\.",
        message,
    )


def test_one_process_alone_has_nobody_to_wait_for():
    with joined(Launch()) as ranks:
        assert ranks is ALONE
        assert ranks.told([1]) == [[1]]
        assert ranks.share(range(3)).add_up(torch.ones(2)).tolist() == [1, 1]
        with pytest.raises(KeyError), ranks.step():
            raise KeyError


def test_a_timeout_of_nothing_is_refused():
    message = "--rank-timeout must be above 0 seconds, got 0."
    with pytest.raises(OptionError, match=f"^{message}$"), joined(Launch(), 0):
        pass


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    message = (
        "rank 3 of 4 (node) has no GPU of its own: 4 processes were started on a "
        "machine where 2 are visible; start as many as there are GPUs."
    )
    place = Launch(3, 4, 3, 4, "node")
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"), joined(place):
        pass


def test_ranks_are_values():
    assert Ranks() == ALONE
