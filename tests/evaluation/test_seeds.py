"""Student's interval over seeds, against scipy's."""

import math

import numpy as np
import pytest
import scipy.stats

from datainf.core.errors import DataError
from datainf.evaluation.seeds import seed_mean, t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 19, 200])
@pytest.mark.parametrize("level", [0.9, 0.975, 0.995])
def test_the_quantile_is_scipys(freedom, level):
    expected = scipy.stats.t.ppf(level, freedom)
    assert t_quantile(level, freedom) == pytest.approx(expected, rel=2e-3)


def test_the_interval_is_scipys():
    values = np.random.default_rng(1).normal(size=7)
    found = seed_mean(values, level=0.9)
    low, high = scipy.stats.t.interval(
        0.9, 6, loc=values.mean(), scale=values.std(ddof=1) / math.sqrt(7)
    )
    assert found == pytest.approx((values.mean(), low, high), rel=1e-4)


def test_one_seed_has_a_mean_and_no_interval():
    mean, low, high = seed_mean([0.75])
    assert mean == 0.75
    assert math.isnan(low)
    assert math.isnan(high)


def test_no_seed_is_refused():
    with pytest.raises(DataError, match=r"^a mean over seeds needs at least one, "):
        seed_mean([])
