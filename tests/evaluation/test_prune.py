"""Pruning: what dropping proponents does beyond what chance does."""

import re

import numpy as np
import pytest

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.prune import prune_effect, without_proponents

P, R = 7, 5


def test_the_effect_is_the_change_beyond_that_of_random_sets():
    rng = np.random.default_rng(0)
    before, pruned = rng.random(P), rng.random(P)
    chance = rng.random((R, P))
    found = prune_effect(pruned, before, chance)
    assert found.change == pytest.approx((pruned - before).mean())
    assert found.random_change == pytest.approx((chance.mean(axis=0) - before).mean())
    assert found.effect == pytest.approx((pruned - chance.mean(axis=0)).mean())
    assert found.interval is not None
    assert found.interval.low < found.effect < found.interval.high


def test_the_interval_speaks_of_queries_and_of_random_sets():
    rows = np.arange(R, dtype=float)[:, None] * np.ones(P)
    sets = prune_effect(np.full(P, 9.0), np.zeros(P), rows).interval
    queries = prune_effect(np.arange(P), np.zeros(P), np.zeros((R, P))).interval
    for interval in (sets, queries):
        assert interval is not None
        assert np.ptp(interval) > 1


def test_one_query_has_no_interval():
    assert prune_effect([1.0], [0.0], [[0.5]]).interval is None


@pytest.mark.parametrize("shape", [(P,), (R, P + 1)])
def test_losses_of_other_queries_are_refused(shape):
    message = (
        "prune: losses [P], [P] and [R, P] must be of the same queries, got [7], [7] "
        f"and {list(shape)}."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        prune_effect(np.zeros(P), np.zeros(P), np.zeros(shape))


def test_the_most_negative_scores_are_dropped_and_ties_keep_the_order():
    kept = without_proponents([0.0, -3.0, -1.0, 5.0, -1.0], 2)
    assert kept.tolist() == [True, False, False, True, True]


@pytest.mark.parametrize("k", [0, 3])
def test_something_must_be_dropped_and_something_left(k):
    message = f"prune: k must be between 1 and 2, got {k}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        without_proponents([1.0, 2.0, 3.0], k)
