"""How a source cuts its rows changes no score."""

import numpy as np
import pytest

from datainf.estimators.table import METHODS, build
from tests.estimators.gradient_sets import (
    N,
    Portioned,
    Q,
    random_gradients,
    source_of,
)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("normalize", [None, "example"])
@pytest.mark.parametrize("method", METHODS)
def test_scores_do_not_depend_on_the_size_of_a_portion(method, normalize, size):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    estimator = build(method, blocks="module", normalize=normalize)
    whole = source_of(train)
    expected = estimator.score(estimator.fit(whole), whole, source_of(queries))
    cut = Portioned(train, size)
    assert max(len(part) for part in cut.rows()) == size
    found = estimator.score(estimator.fit(cut), cut, Portioned(queries, 2))
    scale = np.abs(expected.values).max()
    np.testing.assert_allclose(
        found.values, expected.values, rtol=0, atol=1e-12 * scale
    )
    np.testing.assert_allclose(found.residual, expected.residual, atol=1e-12)
