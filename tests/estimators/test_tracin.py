"""`tracin` against a loop over checkpoints, rows and queries."""

import numpy as np
import torch

from datainf.estimators.tracin import TracIn
from tests.estimators.gradient_sets import (
    SIZES,
    N,
    Q,
    checkpoint_of,
    random_gradients,
    scored,
)
from tests.reference import side_by_side

RATES = (0.5, 0.3, 0.0)


def test_scores_are_the_sum_of_products_times_learning_rates():
    sets = [(random_gradients(N, s), random_gradients(Q, s + 10)) for s in range(3)]
    found = TracIn().score_checkpoints(
        [checkpoint_of(*pair, weight=w) for pair, w in zip(sets, RATES, strict=True)]
    )
    expected = np.zeros((Q, N))
    for (train, queries), rate in zip(sets, RATES, strict=True):
        g, v = (side_by_side(part, list(SIZES)) for part in (train, queries))
        for q in range(Q):
            for k in range(N):
                expected[q, k] -= rate * float(v[q] @ g[k])
    np.testing.assert_allclose(found.values, expected, rtol=1e-10)
    assert np.isnan(found.residual).all()


def test_one_checkpoint_of_rate_one_is_dot():
    np.testing.assert_array_equal(scored("tracin").values, scored("dot").values)


def test_what_one_step_on_an_example_changes_is_its_score():
    """A small gradient step on row k changes the query's loss by minus η v·g."""
    chance = torch.Generator().manual_seed(1)
    x, z = torch.randn(2, 5, generator=chance, dtype=torch.float64)
    w, rate = torch.randn(5, generator=chance, dtype=torch.float64), 1e-6
    loss = lambda row, at: 0.5 * (row @ at - 1) ** 2  # noqa: E731
    g, v = ((row @ w - 1) * row for row in (x, z))
    moved = float(loss(z, w - rate * g) - loss(z, w))
    found = TracIn().score_checkpoints(
        [checkpoint_of({"w": g[None]}, {"w": v[None]}, weight=rate)]
    )
    np.testing.assert_allclose(found.values, [[moved]], rtol=1e-4)
