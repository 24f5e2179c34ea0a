"""`evaluate prune`: dropping right proponents hurts, by the mean and query by query."""

import json
import re

import numpy as np
import pytest

from datainf.core.errors import NonFiniteError, OptionError
from datainf.workflows.evaluate_prune import prune_run
from datainf.workflows.retraining import Outcome, Retrainer
from tests.workflows.collecting import Told
from tests.workflows.fake_training import EFFECTS, known_outcome
from tests.workflows.judging import judged
from tests.workflows.run_folders import N, Q, review_folders
from tests.workflows.test_evaluate_lds import save_scores


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    return review_folders(tmp_path_factory.mktemp("reviews"))


@pytest.fixture
def known(monkeypatch):
    ran = []

    def run(self, asked):  # noqa: ARG001
        ran.append(asked)
        return known_outcome(asked)

    monkeypatch.setattr(Retrainer, "run", run)
    return ran


def run_of(reviews, out, **options):
    right = save_scores(out / "right", EFFECTS)
    given = {"scores": [right], "methods": ["random"], "drop": [3], "subsets": 5}
    return right, judged(reviews, out / "out", **{**given, **options})


def test_proponents_of_the_mean_are_dropped_and_every_query_judges(
    reviews, tmp_path, known
):
    right, config = run_of(reviews, tmp_path, drop=[2, 3], order=["kept"])
    found = prune_run(config, Told())
    for k, rows in found.table.groupby("dropped"):
        first = rows.iloc[0]
        assert first["scores"] == right
        dropped = np.argsort(EFFECTS.mean(axis=0))[:k]
        change = -EFFECTS[:, dropped].sum(axis=1).mean()
        assert first["change"] == pytest.approx(change)
        assert first["effect"] == pytest.approx(change - first["random_change"])
        assert first["low"] < first["effect"] < first["high"]
    # two sets of scores and five random sets for each k, and the full training
    assert len(known) == 2 * (2 + 5) + 1


def test_each_query_can_have_its_own_proponents_dropped(reviews, tmp_path, known):
    right, config = run_of(reviews, tmp_path, each=2)
    found = prune_run(config, Told())
    first = found.table.iloc[0]
    assert first["scores"] == right
    change = -np.sort(EFFECTS, axis=1)[:2, :3].sum(axis=1).mean()
    assert first["change"] == pytest.approx(change)
    assert len(known) == 2 * 2 + 5 + 1


def test_one_query_has_no_interval(reviews, tmp_path, known):
    _, config = run_of(reviews, tmp_path, each=1)
    prune_run(config, Told())
    written = json.loads((tmp_path / "out" / "prune.json").read_text())
    assert [row["low"] for row in written["designs"]] == [None, None]
    assert len(written["full_losses"]) == Q
    assert known


def test_scores_whose_training_diverges_are_told_and_left_out(
    reviews, tmp_path, monkeypatch
):
    right, config = run_of(reviews, tmp_path, methods=[])
    top = tuple(sorted(np.argsort(EFFECTS.mean(axis=0))[:3].tolist()))

    def run(self, asked):  # noqa: ARG001
        diverges = asked.removed == top
        return Outcome(None, "nan", 0.0) if diverges else known_outcome(asked)

    monkeypatch.setattr(Retrainer, "run", run)
    told = Told()
    assert prune_run(config, told).table.empty
    assert told.of("say")[-1] == f"{right}: a training without its top 3 diverged"


def test_a_full_training_that_diverges_is_refused(reviews, tmp_path, monkeypatch):
    _, config = run_of(reviews, tmp_path)

    def run(self, asked):  # noqa: ARG001
        return known_outcome(asked) if asked.removed else Outcome(None, "nan", 0.0)

    monkeypatch.setattr(Retrainer, "run", run)
    message = "the training on all examples diverged; lower learning_rate."
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        prune_run(config, Told())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"each": Q + 1}, "each=6, but there are 5 queries; ask for at most as many."),
        ({"drop": [3, N]}, "drop=11 leaves none of 11 training examples; drop fewer."),
        ({"drop": [9]}, "without 9 of 11 examples, 2 are left, fewer than a batch of "
         "4; remove fewer, train with a smaller batch, or keep the batch order "
         "(--batch-order kept)."),
    ],
    ids=["each", "all", "batch"],
)  # fmt: skip
def test_what_cannot_be_dropped_is_refused_before_training(
    reviews, tmp_path, known, options, message
):
    _, config = run_of(reviews, tmp_path, **options)
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        prune_run(config, Told())
    assert known == []
