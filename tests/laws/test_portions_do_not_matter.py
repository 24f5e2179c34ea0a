"""How a source cuts its rows changes no score."""

from dataclasses import replace

import numpy as np
import pytest

from datainf.estimators.table import METHODS, build
from tests.estimators.gradient_sets import (
    GROUPING,
    N,
    Portioned,
    Q,
    checkpoint_of,
    random_gradients,
)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("normalize", [None, "example"])
@pytest.mark.parametrize("method", METHODS)
def test_scores_do_not_depend_on_the_size_of_a_portion(method, normalize, size):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    blocks = "module" if method in GROUPING else None
    estimator = build(method, blocks=blocks, normalize=normalize)
    whole = checkpoint_of(train, queries)
    expected = estimator.score_at(whole)
    cut = Portioned(train, size)
    assert max(len(part) for part in cut.rows()) == size
    pieces = replace(whole, train=cut, queries=Portioned(queries, 2))
    found = estimator.score_at(pieces)
    scale = np.abs(expected.values).max()
    np.testing.assert_allclose(
        found.values, expected.values, rtol=0, atol=1e-12 * scale
    )
    np.testing.assert_allclose(found.residual, expected.residual, atol=1e-12)
