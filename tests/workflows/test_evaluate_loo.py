"""`evaluate loo`: the examples that are left out, and right scores first."""

import json
from types import SimpleNamespace

import pytest

from datainf.core.errors import OptionError
from datainf.workflows.evaluate_loo import loo_run
from datainf.workflows.retraining import Outcome, Retrainer
from tests.workflows.collecting import Told
from tests.workflows.fake_training import EFFECTS, known_outcome
from tests.workflows.judging import judged
from tests.workflows.run_folders import N, review_folders
from tests.workflows.test_evaluate_lds import save_scores


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


@pytest.fixture
def known(monkeypatch):
    ran = []

    def run(self, asked):  # noqa: ARG001
        ran.append(asked)
        diverges = asked.removed == (4,)
        return Outcome(None, "nan", 0.0) if diverges else known_outcome(asked, 0.05)

    monkeypatch.setattr(Retrainer, "run", run)
    return ran


def test_right_scores_foretell_what_single_examples_do(reviews, tmp_path, known):
    right = save_scores(tmp_path / "right", EFFECTS)
    config = judged(
        reviews,
        tmp_path / "out",
        scores=[right],
        methods=["random"],
        examples=[0, 4, 7, 2, 9, 5],
        twins=4,
        diverged=4,
        order=["kept", "reshuffled"],
    )
    found = loo_run(config, Told())
    assert list(found.table["scores"]) == [right, "random"] * 2
    for _, columns in found.table.iterrows():
        row = SimpleNamespace(**columns)
        assert (row.loo > 0.9) == (row.scores == right)
        assert row.low <= row.loo <= row.high
    for design in json.loads((tmp_path / "out" / "loo.json").read_text())["designs"]:
        assert design["examples"] == [0, 7, 2, 9, 5]
        assert design["diverged"] == 1
        assert design["ceiling"]["twins"] == 3
    assert {one.removed for one in known if one.seed == 4} == {(0,), (4,), (7,), (2,)}


def test_without_names_examples_are_drawn(reviews, tmp_path, known):
    config = judged(reviews, tmp_path, subsets=7, methods=["random"], diverged=1)
    loo_run(config, Told())
    assert len({one.removed for one in known}) == len(known) == 7
    assert all(len(one.removed) == 1 for one in known)


def test_examples_that_are_not_there_are_refused(reviews, tmp_path, known):
    config = judged(reviews, tmp_path, examples=[3, N])
    with pytest.raises(OptionError, match=r"^examples to leave out must be different"):
        loo_run(config, Told())
    assert known == []
