"""`scaled-dot` keeps DataInf's weights and leaves its curvature out."""

import numpy as np

from datainf.estimators.scaled_dot import ScaledDot
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import N, parts_of, random_gradients, scored


def test_scaled_dot_divides_each_group_by_its_lambda():
    state = ScaledDot().fit(InMemorySource(random_gradients(N, 1)))
    parts = parts_of(scored("dot", keep_blocks=True))
    lambdas = np.array(list(state.damping.values()))
    expected = (parts / lambdas[:, None, None]).sum(axis=0)
    np.testing.assert_allclose(scored("scaled-dot").values, expected)


def test_scaled_dot_ranks_as_dot_in_one_group():
    one = scored("scaled-dot", blocks="all").values.argsort(axis=1)
    assert (one == scored("dot", blocks="all").values.argsort(axis=1)).all()
