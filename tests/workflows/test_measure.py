"""Figures of a ranking against ones counted by hand, pair by pair."""

from functools import partial

import numpy as np
import pytest

from datainf.core.errors import DataError
from datainf.evaluation.bootstrap import bootstrap_interval
from datainf.evaluation.detection import detection_auc
from datainf.workflows.measure import measure

N, WRONG = 61, 13


def slow_auc(values, wrong) -> float:
    """Share of (wrong, right) pairs in which the wrong row is larger; ties are half."""
    won = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, is_wrong in zip(values, wrong, strict=True)
        if is_wrong
        for b, other in zip(values, wrong, strict=True)
        if not other
    ]
    if not won:
        raise DataError("rows of one kind")
    return sum(won) / len(won)


def ranked_rows():
    generator = np.random.default_rng(5)
    wrong = np.zeros(N, dtype=bool)
    wrong[generator.permutation(N)[:WRONG]] = True
    suspicion = np.round(generator.standard_normal(N) + wrong, 1)  # with ties
    return suspicion, wrong, generator.standard_normal(N)


@pytest.fixture
def few_draws(monkeypatch):
    """Fewer resamples than the thousand of the default: the slow twin is slow."""
    monkeypatch.setattr(
        "datainf.workflows.measure.bootstrap_interval",
        partial(bootstrap_interval, draws=31),
    )


@pytest.mark.usefixtures("few_draws")
def test_the_figures_are_those_counted_pair_by_pair():
    suspicion, wrong, losses = ranked_rows()
    found = measure(suspicion, wrong, losses)
    low, high = bootstrap_interval(slow_auc, suspicion, wrong, draws=31)
    assert found["auc"] == pytest.approx(slow_auc(suspicion, wrong), rel=1e-12)
    assert found["auc_of_loss"] == pytest.approx(slow_auc(losses, wrong), rel=1e-12)
    assert found["auc_low"] == pytest.approx(low, rel=1e-12)
    assert found["auc_high"] == pytest.approx(high, rel=1e-12)
    assert found["share_wrong"] == WRONG / N
    assert list(found) == [
        "auc",
        "auc_low",
        "auc_high",
        "precision_at_13",
        "share_wrong",
        "auc_of_loss",
    ]


def test_the_interval_is_the_default_one_of_the_bootstrap():
    suspicion, wrong, losses = ranked_rows()
    found = measure(suspicion, wrong, losses)
    interval = bootstrap_interval(detection_auc, suspicion, wrong)
    assert (found["auc_low"], found["auc_high"]) == interval
    assert found["auc_low"] < found["auc"] < found["auc_high"]


@pytest.mark.usefixtures("few_draws")
def test_precision_is_taken_among_as_many_rows_as_are_wrong():
    _, wrong, losses = ranked_rows()
    suspicion = -np.arange(N, dtype=float)  # the first rows are the most suspicious
    found = measure(suspicion, wrong, losses)
    assert found["precision_at_13"] == pytest.approx(sum(wrong[:WRONG]) / WRONG)
    assert 0 < found["precision_at_13"] < 1


@pytest.mark.usefixtures("few_draws")
def test_the_largest_is_the_most_suspicious():
    _, wrong, losses = ranked_rows()
    found = measure(wrong * 2.0, wrong, losses)
    assert (found["auc"], found["precision_at_13"]) == (1.0, 1.0)
    assert (found["auc_low"], found["auc_high"]) == (1.0, 1.0)
    assert measure(-2.0 * wrong, wrong, losses)["auc"] == 0.0


@pytest.mark.parametrize(("wrong", "share"), [(False, 0.0), (True, 1.0)])
def test_rows_of_one_kind_have_a_share_and_nothing_else(wrong, share):
    suspicion, _, losses = ranked_rows()
    assert measure(suspicion, np.full(N, wrong), losses) == {"share_wrong": share}
