"""Ranks against counting every pair and every order of ties."""

import re
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from datainf.core.errors import DataError, NonFiniteError, OptionError
from datainf.evaluation.ranking import (
    Ranked,
    finite_vector,
    hits_at,
    roc_auc,
    spearman,
)

N = 7


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=17))
def test_auc_equals_scikit_learn_and_counting_pairs_with_ties(rows) -> None:
    values = np.array([float(value) for value, _ in rows])
    sought = np.array([flag for _, flag in rows])
    if sought.all() or not sought.any():
        return
    pairs = [(a > b) + (a == b) / 2 for a in values[sought] for b in values[~sought]]
    assert roc_auc(values, sought) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert roc_auc(values, sought) == pytest.approx(
        roc_auc_score(sought, values), abs=1e-12
    )


@pytest.mark.parametrize("k", range(1, N))
def test_hits_are_the_mean_over_all_orders_of_the_ties(k: int) -> None:
    values = np.array([2.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    sought = np.array([False, True, False, True, True, False])
    orders = [
        order
        for order in permutations(range(len(values)))
        if (np.diff(values[list(order)]) <= 0).all()
    ]
    slow = np.mean([sought[list(order[:k])].sum() for order in orders])
    assert hits_at(values, sought, k) == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("k", [0, N + 1])
def test_hits_need_k_rows(k: int) -> None:
    message = f"k must be between 1 and the number of rows, 7; got {k}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        hits_at(np.arange(N, dtype=np.float64), np.zeros(N, dtype=bool), k)


def test_a_vector_is_one_finite_number_a_row() -> None:
    assert finite_vector([True, False], "flag").tolist() == [1.0, 0.0]
    message = "loss of row 1 is nan; give finite numbers."
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        finite_vector([0.5, float("nan"), float("inf")], "loss")
    message = "loss must be one number a row, got float64 of shape [1, 2]."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        finite_vector([[1.0, 2.0]], "loss")
    message = "loss must be one number a row, got <U1 of shape [2]."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        finite_vector(["1", "2"], "loss")


# --- ranks of resamples -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_ranks_of_a_resample_are_those_of_the_repeated_columns(seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 6, size=(3, 11)).astype(float)
    times = rng.integers(0, 3, size=11)
    repeated = np.repeat(np.arange(11), times)
    found = Ranked(table).ranks(times)[:, repeated]
    slow = pd.DataFrame(table[:, repeated]).rank(axis=1)
    np.testing.assert_array_equal(found, slow)


@pytest.mark.parametrize("seed", range(5))
def test_spearman_of_a_resample_is_that_of_the_repeated_columns(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 9, size=(2, 3, 11)).astype(float)
    times = rng.integers(0, 3, size=11)
    repeated = np.repeat(np.arange(11), times)
    slow = [
        pd.Series(x[repeated]).corr(pd.Series(y[repeated]), method="spearman")
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(spearman(Ranked(a), Ranked(b), times), slow)


def test_a_row_of_equal_numbers_has_no_correlation():
    flat, rising = Ranked(np.ones((1, 7))), Ranked(np.arange(7.0)[None])
    assert np.isnan(spearman(flat, rising, np.ones(7, dtype=int))).all()
