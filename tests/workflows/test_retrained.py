"""Finished retrainings: made once, kept through a kill, the same with more workers."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from datainf.core.errors import NonFiniteError, StoreError
from datainf.core.evaluate_options import BatchOrder
from datainf.workflows.retrained import Retrained
from datainf.workflows.retraining import Outcome, Retrainer, Retraining
from datainf.workflows.run_file import write_run
from tests.processes import ROOT
from tests.workflows.collecting import Told
from tests.workflows.judging import judged, results
from tests.workflows.run_folders import review_folders

ASKED = [
    Retraining((1, 4), BatchOrder.KEPT, 3),
    Retraining((1, 4), BatchOrder.RESHUFFLED, 4),
    Retraining((2,), BatchOrder.KEPT, 3),
    Retraining((5, 7), BatchOrder.RESHUFFLED, 3),
]
PROGRAM = """
import sys
from datainf.workflows.progress import Logged
from datainf.workflows.retrained import Retrained
from datainf.workflows.run_file import read_run
from tests.workflows.test_retrained import ASKED, open_in
from pathlib import Path
open_in(Path(sys.argv[1]), read_run(sys.argv[1])).outcomes(
    ASKED, workers=1, diverged=0, reporter=Logged())
"""


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


def open_in(out, config):
    return Retrained(out / "retrained", config, {"recipe": "mine"})


def made(out, reviews, asked=ASKED, *, workers=1, told=None, diverged=0):
    retrained = open_in(out, judged(reviews, out))
    return retrained.outcomes(
        asked, workers=workers, diverged=diverged, reporter=told or Told()
    )


def without_time(outcomes):
    return [(one.losses, one.problem) for one in outcomes]


@pytest.fixture(scope="module")
def whole(reviews, tmp_path_factory):
    """The folder and the outcomes of a run that was never stopped."""
    out = tmp_path_factory.mktemp("whole")
    return out, made(out, reviews)


def test_each_is_trained_once_whoever_asks(reviews, whole, monkeypatch):
    out, outcomes = whole
    before, told = results(out), Told()
    monkeypatch.setattr(Retrainer, "run", None)
    again = made(out, reviews, [ASKED[2], *ASKED, ASKED[2]], told=told)
    assert again == [outcomes[2], *outcomes, outcomes[2]]
    assert (results(out), told.events) == (before, [])


def test_what_is_missing_is_told_and_counted(reviews, whole, tmp_path):
    told = Told()
    made(tmp_path, reviews, ASKED[:1])
    made(tmp_path, reviews, ASKED[:2], told=told)
    assert told.of("say") == [
        "1 of 2 retrainings are there, 1 to do; finished ones are kept if this is "
        "stopped"
    ]
    assert told.of("stage") == [("retraining", 1)]
    assert told.of("step") == [1]
    assert len(whole[1]) == len(ASKED)


def test_a_killed_run_goes_on_where_it_was_and_ends_the_same(reviews, whole, tmp_path):
    write_run(judged(reviews, tmp_path), tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", *sys.path])},
    )
    while not results(tmp_path):
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = results(tmp_path)
    assert 0 < len(before) < len(ASKED)
    after = made(tmp_path, reviews)
    assert without_time(after) == without_time(whole[1])
    assert before.items() <= results(tmp_path).items()  # what was done is not redone


def test_two_workers_give_what_one_gives(reviews, whole, tmp_path):
    told = Told()
    found = made(tmp_path, reviews, workers=2, told=told)
    assert without_time(found) == without_time(whole[1])
    assert len(told.of("step")) == len(ASKED)


def test_a_folder_holds_one_family_for_each_set_of_facts(reviews, tmp_path):
    config = judged(reviews, tmp_path)
    mine, other = (Retrained(tmp_path, config, {"recipe": r}) for r in ("a", "b"))
    assert mine.folder != other.folder
    assert mine.folder == Retrained(tmp_path, config, {"recipe": "a"}).folder


def test_more_diverged_trainings_than_allowed_stop_the_run(
    reviews, tmp_path, monkeypatch
):
    ran = []

    def run(_, asked):
        ran.append(asked)
        return Outcome(None, "loss nan", 0.0)

    monkeypatch.setattr(Retrainer, "run", run)
    message = "2 of 4 retrainings diverged, and at most 1 may (--diverged): loss nan"
    for _ in range(2):  # at once where they are known already
        with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
            made(tmp_path, reviews, diverged=1)
        assert len(ran) == 2
    assert [one.losses for one in made(tmp_path, reviews, diverged=4)] == [None] * 4


@pytest.mark.parametrize("content", ["{", "{}", '{"losses": 3}'])
def test_a_damaged_result_is_named(reviews, tmp_path, content):
    retrained = open_in(tmp_path, judged(reviews, tmp_path))
    retrained.folder.mkdir(parents=True)
    path = retrained.folder / f"{ASKED[0].key}.json"
    path.write_text(content)
    with pytest.raises(StoreError) as caught:
        made(tmp_path, reviews)
    assert str(caught.value).startswith(f"{path} is damaged (")
    assert str(caught.value).endswith("; remove it, and it is trained again.")


def test_a_worker_that_is_killed_is_told(reviews, tmp_path, monkeypatch):
    class Pool(ProcessPoolExecutor):
        def submit(self, *_, **__):
            future: Future[Outcome] = Future()
            future.set_exception(BrokenProcessPool("killed"))
            return future

    monkeypatch.setattr("datainf.workflows.workers.ProcessPoolExecutor", Pool)
    message = (
        "a worker was killed, perhaps for want of memory; what it had "
        "finished is kept. Run again, with fewer workers."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        made(tmp_path, reviews, workers=2)
