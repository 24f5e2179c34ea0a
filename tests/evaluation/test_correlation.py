"""Correlations against numpy's and scipy's, and where they are undefined."""

import math

import numpy as np
import pytest
import scipy.stats

from datainf.core.errors import DataError
from datainf.evaluation.correlation import pearson, spearman


def columns() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    first = rng.integers(5, size=23).astype(float)  # with ties
    return first, first**3 + rng.normal(size=23)


def test_pearson_is_numpys():
    first, second = columns()
    assert pearson(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_spearman_is_scipys_with_ties():
    first, second = columns()
    expected = scipy.stats.spearmanr(first, second).statistic
    assert spearman(first, second) == pytest.approx(expected)


def test_neither_scale_nor_shift_matters_however_small():
    first, second = columns()
    for measure in (pearson, spearman):
        expected = measure(first, second)
        assert measure(1e-300 * first, second) == pytest.approx(expected)
        assert measure(first, 7 - 2 * second) == pytest.approx(-expected)


def test_what_does_not_vary_has_no_correlation():
    assert math.isnan(pearson([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]))
    assert math.isnan(spearman([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]))


@pytest.mark.parametrize("second", [[1.0], [1.0, 2.0, 3.0]])
def test_other_rows_are_refused(second):
    with pytest.raises(DataError) as refused:
        pearson([1.0] * (2 if len(second) > 1 else 1), second)
    assert str(refused.value).startswith(
        "a correlation needs two columns of the same rows, at least 2, got "
    )
