"""`cosine` is the cosine, negated."""

import re

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from datainf.core.errors import OptionError
from datainf.estimators.cosine import Cosine
from tests.estimators.gradient_sets import GROUPS, N, Q, random_gradients, scored


@pytest.mark.parametrize("blocks", GROUPS)
def test_cosine_is_minus_the_cosine_over_all_blocks(blocks):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    v, g = (torch.cat(list(each.values()), dim=1) for each in (queries, train))
    expected = -cosine_similarity(v[:, None], g[None], dim=2)
    np.testing.assert_allclose(scored("cosine", blocks=blocks).values, expected)


def test_a_query_of_length_zero_scores_zero_and_is_counted():
    queries = {name: tensor * 0 for name, tensor in random_gradients(Q, 2).items()}
    made = scored("cosine", queries=queries)
    assert not made.values.any()
    assert made.provenance.notes == (
        "3 of 3 query gradients have length zero; their scores are 0.",
    )


def test_cosine_without_scaling_is_refused():
    message = (
        "cosine scales every training gradient to unit length, got normalize='none'; "
        "leave it out, or use method='dot'."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Cosine(normalize="none")
