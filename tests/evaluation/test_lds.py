"""LDS: right where the truth has a closed form, zero for shuffled scores."""

import math
import re

import numpy as np
import pytest

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.lds import draw_subsets, lds, noise_ceiling, predicted_losses

N, Q, D, S = 211, 13, 5, 31


@pytest.fixture(scope="module")
def regression():
    """Ridge regression: exact scores, subsets, and the losses of exact retraining."""
    rng = np.random.default_rng(0)
    x, asked = rng.normal(size=(N, D)), rng.normal(size=(Q, D))
    y = x @ rng.normal(size=D) + rng.normal(size=N)
    wanted = asked @ rng.normal(size=D) + 3  # far off, so that the loss is near linear
    kept = draw_subsets(N, 0.02, S)

    def fit(rows):
        gram = x[rows].T @ x[rows] + np.eye(D)
        return np.linalg.solve(gram, x[rows].T @ y[rows])

    losses = np.array([(asked @ fit(rows) - wanted) ** 2 / 2 for rows in kept])
    whole = fit(np.ones(N, dtype=bool))
    gradients = (x @ whole - y)[:, None] * x
    queries = (asked @ whole - wanted)[:, None] * asked
    scores = -queries @ np.linalg.inv(x.T @ x + np.eye(D)) @ gradients.T
    return scores, kept, losses


def test_exact_influence_on_a_regression_scores_above_99_percent(regression):
    found = lds(*regression)
    assert found.value > 0.99
    assert found.interval.low > 0.98


def test_the_opposite_sign_scores_the_opposite(regression):
    scores, kept, losses = regression
    assert lds(-scores, kept, losses).value == pytest.approx(-lds(*regression).value)


def test_the_interval_of_shuffled_scores_holds_zero(regression):
    scores, kept, losses = regression
    for seed in range(3):
        mixed = np.random.default_rng(seed).permuted(scores, axis=1)
        low, high = lds(mixed, kept, losses).interval
        assert low < 0 < high


def test_the_prediction_of_a_subset_is_the_sum_of_its_members():
    scores = np.array([[1.0, -2.0, 4.0], [0.5, 0.0, 8.0]])
    kept = [[1, 0, 1], [0, 1, 0]]
    np.testing.assert_array_equal(
        predicted_losses(scores, kept), [[5.0, 8.5], [-2.0, 0.0]]
    )


@pytest.mark.parametrize(
    ("scores", "kept", "message"),
    [
        (np.zeros((Q, 3)), np.ones((S, 4)), "lds: scores [Q, N] and members [S, N] "
         "must be of the same training examples, got [13, 3] and [31, 4]."),
        (np.zeros((Q, 3)), np.full((S, 3), 2), "lds: members must be marked by True "
         "and False (1 and 0)."),
    ],
    ids=["shapes", "marks"],
)  # fmt: skip
def test_members_that_do_not_fit_are_refused(scores, kept, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        predicted_losses(scores, kept)


# --- the ceiling --------------------------------------------------------------------


def test_a_perfect_predictor_scores_about_the_ceiling():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(499, Q))
    first, second = (true + 0.7 * rng.normal(size=true.shape) for _ in range(2))
    found = noise_ceiling(first, second, draws=20)
    assert found.value == math.sqrt(found.agreement.value)
    perfect = noise_ceiling(true, first, draws=20).agreement.value
    assert found.value == pytest.approx(perfect, abs=0.02)


def test_seeds_that_disagree_leave_nothing_to_predict():
    rows = np.arange(S, dtype=float)[:, None]
    assert noise_ceiling(rows, -rows, draws=3).value == 0


# --- subsets ------------------------------------------------------------------------


def test_subsets_are_of_one_size_seeded_and_the_first_of_a_larger_draw():
    kept = draw_subsets(53, 0.2, 7, seed=3)
    assert kept.shape == (7, 53)
    assert set((~kept).sum(axis=1)) == {11}
    np.testing.assert_array_equal(kept, draw_subsets(53, 0.2, 11, seed=3)[:7])
    assert not np.array_equal(kept, draw_subsets(53, 0.2, 7, seed=4))
    assert len({row.tobytes() for row in kept}) == 7


@pytest.mark.parametrize(("removed", "count"), [(0.001, 0), (0.999, 7)])
def test_subsets_that_remove_nothing_or_everything_are_refused(removed, count):
    message = (
        f"removing a share of {removed} of 7 examples removes {count}; it must remove "
        "at least one and leave one."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        draw_subsets(7, removed, 3)
