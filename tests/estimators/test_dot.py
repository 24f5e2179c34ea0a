"""`dot` is the plain product."""

import numpy as np
import pytest
import torch

from tests.estimators.gradient_sets import GROUPS, N, Q, random_gradients, scored


@pytest.mark.parametrize("blocks", GROUPS)
def test_dot_is_minus_the_product_whatever_the_groups(blocks):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    v, g = (torch.cat(list(each.values()), dim=1) for each in (queries, train))
    np.testing.assert_allclose(scored("dot", blocks=blocks).values, -v @ g.T)
