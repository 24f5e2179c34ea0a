"""Agreement of predicted with actual losses, against a slow correlation of ranks."""

import re

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import DataError, NonFiniteError
from datainf.evaluation.agreement import agreement

S, Q = 11, 5


def tables(seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(S, Q))
    return truth + noise * rng.normal(size=(S, Q)), truth


def test_each_query_is_correlated_by_ranks_and_then_averaged():
    guess, truth = tables()
    guess[:4, 1] = 0.25  # ties
    found = agreement(guess, truth, draws=3)
    slow = [
        pd.Series(guess[:, q]).corr(pd.Series(truth[:, q]), method="spearman")
        for q in range(Q)
    ]
    np.testing.assert_allclose(found.per_query, slow, rtol=1e-12)
    assert found.value == pytest.approx(np.mean(slow))
    assert (found.undefined, found.flat) == ((), 0)


def test_the_interval_holds_the_value_and_widens_with_noise():
    close, far = (agreement(*tables(noise=n)) for n in (0.1, 1.0))
    for found in (close, far):
        low, high = found.interval
        assert low < found.value < high
    assert np.ptp(close.interval) < np.ptp(far.interval)


def test_equal_seeds_give_equal_resamples_so_that_differences_have_intervals():
    guess, truth = tables()
    first, second = agreement(guess, truth), agreement(3 * guess + 1, truth)
    np.testing.assert_array_equal(first.draws, second.draws)
    assert not np.array_equal(first.draws, agreement(guess, truth, seed=1).draws)


def test_both_queries_and_retrainings_are_resampled():
    guess, truth = tables(noise=0.5)
    alike = np.repeat(guess[:, :1], Q, axis=1), np.repeat(truth[:, :1], Q, axis=1)
    assert np.ptp(agreement(*alike).draws) > 0.1  # retrainings are
    rows = np.arange(S)
    split = np.stack([rows, rows, -rows], axis=1)
    found = agreement(split, np.stack([rows] * 3, axis=1))
    assert set(np.round(found.draws * 3).astype(int)) == {-3, -1, 1, 3}  # queries are


def test_a_query_whose_loss_never_changes_is_left_out_and_named():
    guess, truth = tables()
    truth[:, 3] = 0.5
    found = agreement(guess, truth, draws=3)
    assert found.undefined == (3,)
    assert np.isnan(found.per_query[3])
    others = [0, 1, 2, 4]
    assert found.value == pytest.approx(found.per_query[others].mean())


def test_a_prediction_that_never_changes_counts_as_zero():
    guess, truth = tables()
    guess[:, 2] = 0.0
    found = agreement(guess, truth, draws=3)
    assert (found.flat, found.per_query[2]) == (1, 0.0)


@pytest.mark.parametrize(
    ("guess", "truth", "message"),
    [
        (np.zeros(S), np.zeros(S), "agreement: predicted loss must be [retrainings, "
         "queries], got shape [11]."),
        (np.zeros((S, Q)), np.zeros((S, 2)), "agreement: predicted and actual losses "
         "must have one shape, got [11, 5] and [11, 2]."),
        (np.zeros((2, Q)), np.eye(2, Q), "agreement: a rank correlation needs at least "
         "3 retrainings, got 2."),
        (np.zeros((S, Q)), np.ones((S, Q)), "agreement: the loss of every one of the 5 "
         "queries is the same in all 11 retrainings; remove more, or look whether "
         "training works."),
    ],
    ids=["shape", "shapes", "few", "constant"],
)  # fmt: skip
def test_tables_that_say_nothing_are_refused(guess, truth, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        agreement(guess, truth)


def test_losses_that_are_no_numbers_are_refused():
    guess, truth = tables()
    truth[0, 0] = np.nan
    with pytest.raises(
        NonFiniteError, match=r"^actual loss of row 0 is nan; give finite numbers\.$"
    ):
        agreement(guess, truth)
