"""Sums from squared lengths."""

import re

import pytest
import torch

from datainf.core.errors import NonFiniteError
from datainf.core.options import Normalize
from datainf.estimators.census import take_census
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import N, Portioned, random_gradients
from tests.reference import scaled_rows


@pytest.mark.parametrize("normalize", Normalize)
def test_totals_are_those_of_the_rows(normalize):
    train = random_gradients(N, 1)
    for tensor in train.values():
        tensor[2] = 0
    census = take_census(Portioned(train, 3), "rows", normalize)
    rows = scaled_rows(train, normalize)
    expected = {name: float((tensor**2).sum()) for name, tensor in rows.items()}
    assert census.totals == pytest.approx(expected)
    lengths = torch.cat(list(train.values()), dim=1).norm(dim=1)
    lengths[2] = 1
    torch.testing.assert_close(census.lengths, lengths)
    assert census.zero_rows == 1


def test_a_source_that_lets_nan_through_is_refused():
    source = InMemorySource({"a": torch.ones(5, 3), "b": torch.ones(5, 2)})
    source._squared_norms[3, 1] = float("nan")
    message = (
        "queries: the gradient of block b, row 3 is NaN or infinite; leave that "
        "example out and collect again."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        take_census(source, "queries", Normalize.NONE)
