"""`evaluate lds` from run to table: right scores first, and what is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import OptionError
from datainf.core.records import Provenance, Scores
from datainf.workflows.evaluate_lds import lds_run
from datainf.workflows.retraining import Outcome, Retrainer
from tests.workflows.collecting import Told
from tests.workflows.fake_training import EFFECTS, known_outcome
from tests.workflows.judging import judged, results
from tests.workflows.run_folders import N, Q, review_folders


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


@pytest.fixture
def known(monkeypatch):
    """Every training is one whose outcome is known."""
    ran = []

    def run(self, asked):  # noqa: ARG001
        ran.append(asked)
        return known_outcome(asked, noise=0.2)

    monkeypatch.setattr(Retrainer, "run", run)
    return ran


def save_scores(folder, values):
    nothing = np.full((Q, 1), np.nan)
    Scores(values, ("all",), nothing, nothing, Provenance("mine")).save(folder)
    return str(folder)


def test_really_trained_subsets_are_judged_and_replayed(reviews, tmp_path):
    config = judged(reviews, tmp_path, methods=["dot", "random"], twins=3)
    found = lds_run(config, Told())
    assert set(found.table["scores"]) == {"dot", "random"}
    assert list(found.table["lds"]) == sorted(found.table["lds"], reverse=True)
    assert len(results(tmp_path)) == 6
    before = (tmp_path / "lds.json").read_bytes(), results(tmp_path)
    told = Told()
    lds_run(config, told)
    assert ((tmp_path / "lds.json").read_bytes(), results(tmp_path)) == before
    assert "retraining" not in [title for title, _ in told.of("stage")]


def test_right_scores_come_first_in_every_design(reviews, tmp_path, known):
    right = save_scores(tmp_path / "right", EFFECTS)
    wrong = save_scores(tmp_path / "wrong", -EFFECTS)
    config = judged(
        reviews,
        tmp_path / "out",
        methods=["random"],
        scores=[right, wrong],
        remove=[0.2, 0.5],
        order=["kept", "reshuffled"],
        subsets=23,
        twins=7,
    )
    found = lds_run(config, Told())
    assert len(found.table) == 4 * 3
    for _, rows in found.table.groupby(["batch_order", "removed"]):
        assert list(rows["scores"]) == [right, "random", wrong]
        best, chance, worst = (SimpleNamespace(**row) for _, row in rows.iterrows())
        assert best.lds > 0.9
        assert best.low < best.lds < best.high
        assert 0 < best.low_for_all < best.low
        assert (best.behind_low, best.behind_high) == (0, 0)
        assert chance.low < 0 < chance.high
        assert chance.behind_low > 0
        assert worst.lds == pytest.approx(-best.lds)
    # 23 subsets a design, 7 of them with the next seed too; equal ones once
    assert 4 * 23 < len(known) <= 4 * (23 + 7)
    assert {one.seed for one in known} == {3, 4}


def test_the_details_hold_every_query_and_the_ceiling(reviews, tmp_path, known):
    config = judged(reviews, tmp_path, subsets=7, twins=5)
    told = Told()
    found = lds_run(config, told)
    assert (
        "say",
        "note: 7 subsets are too few for a verdict, at least 20 are needed",
    ) in told.events
    (design,) = json.loads((tmp_path / "lds.json").read_text())["designs"]
    assert design == found.details["designs"][0]
    assert (design["subsets"], design["queries"], design["diverged"]) == (7, Q, 0)
    assert design["ceiling"]["twins"] == 5
    assert 0.5 < design["ceiling"]["agreement"] < 1
    assert len(design["scores"]["dot"]["per_query"]) == Q
    assert design["loss_spread"] > 0
    assert [path.name for path in found.files] == [
        "verdict.md",
        "lds.csv",
        "lds.json",
        "lds.run.yaml",
    ]
    table = pd.read_csv(tmp_path / "lds.csv")
    pd.testing.assert_frame_equal(table, found.table)
    assert len(known) == 12


def test_a_subset_that_diverges_is_left_out_and_counted(reviews, tmp_path, monkeypatch):
    ran = []

    def run(self, asked):  # noqa: ARG001
        ran.append(asked)
        diverges = len(ran) == 2
        return Outcome(None, "nan", 0.0) if diverges else known_outcome(asked, 0.1)

    monkeypatch.setattr(Retrainer, "run", run)
    found = lds_run(judged(reviews, tmp_path, subsets=7, twins=3), Told())
    (design,) = found.details["designs"]
    assert (design["subsets"], design["diverged"]) == (6, 1)
    assert design["ceiling"] is None  # two pairs are left


def test_a_query_whose_loss_never_changes_is_named(reviews, tmp_path, monkeypatch):
    def run(self, asked):  # noqa: ARG001
        losses = known_outcome(asked).losses or ()
        return Outcome((*losses[:2], 0.5, *losses[3:]), "", 0.0)

    monkeypatch.setattr(Retrainer, "run", run)
    found = lds_run(judged(reviews, tmp_path, subsets=7), Told())
    (design,) = found.details["designs"]
    assert design["undefined_queries"] == [2]
    assert design["scores"]["dot"]["per_query"][2] is None


def test_subsets_smaller_than_a_batch_are_refused_before_training(
    reviews, tmp_path, known
):
    config = judged(reviews, tmp_path, remove=[0.7])
    with pytest.raises(OptionError, match=f"^without 8 of {N} examples, 3 are left,"):
        lds_run(config, Told())
    lds_run(judged(reviews, tmp_path, remove=[0.7], order=["kept"]), Told())
    assert len(known) == 3
