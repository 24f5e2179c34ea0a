"""`select`: the rows that help the targets most, with their scores."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datainf.core.clean_options import By
from datainf.core.errors import DatainfWarning, OptionError
from datainf.core.records import Scores
from datainf.workflows.finished import open_finished
from datainf.workflows.progress import Logged
from datainf.workflows.run_file import read_run, write_run
from datainf.workflows.selection import best, one_number, select

K = 3


def refused(message: str) -> Any:
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("by", By)
def test_the_most_negative_rows_are_written_with_rank_and_score(sums, tmp_path, by):
    values = Scores.load(sums.folder / "scores").values
    number = values.mean(axis=0) if by is By.MEAN else values.min(axis=0)
    expected = np.argsort(number, kind="stable")[:K]
    before = Path(sums.folders.train).read_bytes()
    found = select(sums.folder, tmp_path / "best.jsonl", count=K, by=by)
    assert found.rows["index"].tolist() == expected.tolist()
    lines = before.decode().splitlines()
    written = (tmp_path / "best.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in written] == [
        {
            **json.loads(lines[i]),
            "datainf_rank": rank,
            "datainf_score": float(number[i]),
        }
        for rank, i in enumerate(expected, start=1)
    ]
    assert Path(sums.folders.train).read_bytes() == before


def test_balance_takes_alike_from_each_group(labels, tmp_path):
    with pytest.warns(DatainfWarning, match="^2 of the 4 selected"):
        found = select(labels.folder, tmp_path / "best.jsonl", count=4, balance="label")
    assert sorted(found.rows["group"]) == ["awful", "awful", "good", "good"]
    assert found.rows["score"].is_monotonic_increasing


def test_groups_take_turns_and_small_ones_are_taken_whole():
    values = np.array([-9.0, -8.0, -7.0, -1.0, -6.0, 0.0])
    groups = ["a", "a", "a", "b", "a", "c"]
    assert best(values, 3, groups).tolist() == [0, 3, 5]
    assert best(values, 5, groups).tolist() == [0, 1, 2, 3, 5]
    # A turn that is cut short goes to the best of its rows.
    assert best(values, 2, groups).tolist() == [0, 3]
    assert best(values, 3).tolist() == [0, 1, 2]


def test_many_scores_become_one_number():
    values = np.array([[1.0, -5.0], [-3.0, 2.0]])
    assert one_number(values, By.MEAN).tolist() == [-1.0, -1.5]
    assert one_number(values, By.BEST).tolist() == [-3.0, -5.0]


def test_rows_that_hurt_are_counted(labels, tmp_path):
    values = Scores.load(labels.folder / "scores").values[0]
    every = len(values)
    hurting = int((values >= 0).sum())
    assert hurting
    with pytest.warns(DatainfWarning, match=f"^{hurting} of the {every} selected"):
        select(labels.folder, tmp_path / "all.jsonl", count=every)


@pytest.mark.filterwarnings("ignore:.*selected rows have a score")
def test_rows_are_written_with_the_labels_that_were_scored(labels, tmp_path):
    run = open_finished(labels.folder, Logged())
    found = select(labels.folder, tmp_path / "all.jsonl", count=len(run.index))
    lines = found.file.read_text(encoding="utf-8").splitlines()
    used = [run.dataset[int(i)]["label"] for i in found.rows["index"]]
    assert [json.loads(line)["label"] for line in lines] == used


def test_more_than_there_is_is_refused(sums, tmp_path):
    with refused("count=12 is more than the 11 rows that have scores."):
        select(sums.folder, tmp_path / "best.jsonl", count=12)


def test_inputs_are_never_written_over(sums):
    for path, what in ((sums.folders.train, "training"), (sums.test, "target")):
        with refused(
            f"{path} is the {what} data itself; the original is never touched: give "
            "--out another file."
        ):
            select(sums.folder, path, count=1)


def test_another_format_is_refused(sums, tmp_path):
    out = tmp_path / "best.csv"
    with refused(f"{out} must end in .jsonl, the format of {sums.folders.train}."):
        select(sums.folder, out, count=1)


def test_self_influence_has_no_targets(labels, tmp_path):
    shutil.copytree(labels.folder / "scores", tmp_path / "run" / "scores")
    write_run(replace(read_run(labels.folder), queries=None), tmp_path / "run")
    with refused(
        f"{tmp_path / 'run'} ranked rows by self-influence and has no targets; run "
        "`datainf attribute --queries FILE` with examples of what the model should do."
    ):
        select(tmp_path / "run", tmp_path / "best.jsonl", count=1)


def test_an_unknown_option_names_the_near_one(tmp_path):
    with pytest.raises(OptionError, match="did you mean 'count'"):
        select(tmp_path, tmp_path / "x", counts=1)
