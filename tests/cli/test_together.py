"""Commands under a launcher: who prints what, and what refuses to start."""

import re
import socket

import numpy as np
import pytest

from datainf.core.records import Scores
from tests.cli.command import datainf, worked
from tests.ranks import forked
from tests.store.stores import files

RANK_1 = f"rank 1 of 2 ({socket.gethostname()}): "


def launched(folder, *arguments, others=None, count=2):
    """Run a command in several processes; give code, stdout and stderr of each."""

    def work(rank):
        mine = arguments if rank == 0 or others is None else others
        ran = datainf(*mine)
        return [ran.code, ran.out, ran.err]

    return [each.value for each in forked(count, work, folder)]


def test_collect_and_score_by_two_print_once_and_end_as_by_one(stores, lm, tmp_path):
    out = tmp_path / "store"
    cut = ("collect", "--adapter", lm.adapter, "--shard-rows", 3)
    worked(*cut, "--out", tmp_path / "one")
    first, second = launched(tmp_path / "ranks", *cut, "--out", out, "--world-size", 2)
    assert (first[0], second) == (0, [0, "", ""])
    assert "rows        13" in first[1]
    assert files(out) == files(tmp_path / "one")
    asked = ("score", "--train", out, "--queries", stores[1], "--out")
    one = worked(*asked, tmp_path / "scores-of-one")
    first, second = launched(tmp_path / "ranks", *asked, tmp_path / "scores")
    assert (first[0], second) == (0, [0, "", ""])
    assert first[1].splitlines()[0] == one.out.splitlines()[0]
    found, right = (
        Scores.load(tmp_path / name).values for name in ("scores", "scores-of-one")
    )
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-6 * np.abs(right).max())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("score", "--world-size", 3),
            "--world-size 3 asks for 3 processes, and the launcher started 2; start "
            "them together: torchrun --nproc-per-node 3 -m datainf ...",
        ),
        (
            ("methods",),
            "datainf methods works in one process, and the launcher started 2; run it "
            "without one. collect and score can be shared.",
        ),
        (
            ("collect", "--dry-run"),
            "datainf collect --dry-run works in one process, and the launcher started "
            "2; run it without one. collect and score can be shared.",
        ),
        (("score", "--metod", "dot"), "No such option"),
        (("score",), "no store of training gradients given"),
    ],
)
def test_what_all_processes_refuse_is_told_once(tmp_path, arguments, message):
    first, second = launched(tmp_path / "ranks", *arguments)
    assert (first[0], second) == (2, [2, "", ""])
    (line,) = first[2].splitlines()
    assert line.startswith(f"datainf: error: {message}")


def test_fewer_processes_than_were_asked_for_do_not_start():
    ran = datainf("score", "--world-size", 2)
    assert ran.code == 2
    assert "--world-size 2 asks for 2 processes, and the launcher started 1" in ran.err


def test_what_goes_wrong_in_one_process_is_told_under_its_name(lm, tmp_path):
    cut = ("collect", "--adapter", lm.adapter, "--out", tmp_path / "store")
    gone = tmp_path / "gone.jsonl"
    first, second = launched(tmp_path / "ranks", *cut, others=(*cut, "--data", gone))
    assert (first[:2], second) == ([2, ""], [2, "", ""])
    line = first[2].splitlines()[-1]
    assert re.match(rf"datainf: error: {re.escape(RANK_1)}.*gone\.jsonl", line)
    assert not (tmp_path / "store").exists()


def test_an_error_in_the_middle_of_scoring_ends_all(stores, tmp_path):
    """The others do not wait: the connection closes with the process."""
    of = ("score", "--train", stores[0], "--queries", stores[1])
    asked = (*of, "--out", tmp_path / "scores", "--rank-timeout", 20)
    other = (*asked, "--blocks", "all", "--method", "exact")
    first, second = launched(
        tmp_path / "ranks", *asked, others=(*other, "--option", "max_bytes=8")
    )
    assert second[0] == 2
    assert second[2].startswith(f"datainf: error: {RANK_1}exact: curvature group ")
    assert first[0] == 2
    assert "another process ended (its own line says why" in first[2]
