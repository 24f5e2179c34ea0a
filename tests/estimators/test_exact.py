"""`exact`: the side it takes, its precision and its limit."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.estimators import direct
from datainf.estimators.exact import Exact
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import GROUPS, N, Q, random_gradients, scored
from tests.reference import influence_by_inverse


def test_the_smaller_side_is_taken(monkeypatch):
    taken = []
    for name in ("factor_parameter_side", "factor_example_side"):
        factor = getattr(direct, name)

        def spy(rows, *args, name=name, factor=factor, **options):
            taken.append((name, rows.size))
            return factor(rows, *args, **options)

        monkeypatch.setattr(direct, name, spy)
    scored("exact", {"a": torch.randn(5, 5), "b": torch.randn(5, 7)},
           {"a": torch.randn(3, 5), "b": torch.randn(3, 7)})  # fmt: skip
    assert taken == [("factor_parameter_side", 5), ("factor_example_side", 7)]


@pytest.mark.parametrize("blocks", GROUPS)
def test_float32_gradients_are_solved_in_float64(blocks):
    train, queries = (random_gradients(n, n, torch.float32) for n in (N, Q))
    made = scored("exact", train, queries, damping=1e-5, blocks=blocks)
    assert made.residual.max() < 1e-8
    expected = influence_by_inverse(
        "exact", train, queries, groups=GROUPS[blocks], damping=1e-5
    )
    size = float(expected.abs().max())
    np.testing.assert_allclose(made.values, expected, rtol=0, atol=1e-6 * size)


def test_a_matrix_beyond_max_bytes_is_refused_before_any_reading():
    class Unread(InMemorySource):
        def rows(self, blocks=None, *, size=None):
            raise AssertionError(blocks, size)

    message = (
        "exact: curvature group h.1.q.lora_A.weight (d = 11, N = 7) needs a 7×7 matrix "
        "of 3.65e-07 GiB, max_bytes allows 3.64e-07 GiB; use smaller blocks=, fewer "
        "curvature rows, method='cg', or raise max_bytes."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Exact(max_bytes=391).fit(Unread(random_gradients(N, 1)))
    Exact(max_bytes=392).fit(InMemorySource(random_gradients(N, 1)))


def test_max_bytes_must_be_a_count():
    message = "exact: max_bytes must be a whole number of at least 1, got 0."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Exact(max_bytes=0)
