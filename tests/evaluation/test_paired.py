"""Paired comparison: what rows and seeds have in common cancels."""

import re

import numpy as np
import pytest

from datainf.core.errors import DataError
from datainf.evaluation.paired import paired_effect

S, Q = 3, 11


def test_the_effect_is_the_mean_of_the_pairs():
    rng = np.random.default_rng(0)
    before, after = rng.random((S, Q)), rng.random((S, Q))
    found = paired_effect(before, after)
    assert found.before == pytest.approx(before.mean())
    assert found.after == pytest.approx(after.mean())
    assert found.effect == pytest.approx((after - before).mean())
    assert found.interval.low < found.effect < found.interval.high
    assert found == paired_effect(before, after)


def test_hard_rows_and_lucky_seeds_cancel():
    """The same gain on every pair is certain, however rows and seeds differ."""
    rng = np.random.default_rng(0)
    before = 9 * rng.random((S, 1)) + 9 * rng.random((1, Q))
    found = paired_effect(before, before + 0.25)
    np.testing.assert_allclose(found.interval, 0.25)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_interval_speaks_of_seeds_and_of_rows(axis):
    shape = [1, 1]
    shape[axis] = (S, Q)[axis]
    change = np.linspace(-1, 1, shape[axis]).reshape(shape) * np.ones((S, Q))
    assert np.ptp(paired_effect(np.zeros((S, Q)), change).interval) > 0.5


@pytest.mark.parametrize("shape", [(Q,), (S, Q + 1)])
def test_other_rows_are_refused(shape):
    message = (
        "a paired comparison needs [S, Q] numbers of the same seeds and rows, got "
        f"[3, 11] and {list(shape)}."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        paired_effect(np.zeros((S, Q)), np.zeros(shape))


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(
        DataError, match="a paired comparison needs finite numbers, got NaN"
    ):
        paired_effect([[0.0]], [[np.nan]])
