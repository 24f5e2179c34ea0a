"""The streamed Sherman-Morrison sum against inverses formed one by one."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datainf.core.errors import OptionError
from datainf.linalg.rank_one import mean_rank_one_solve
from tests.reference import damped_inverse, mean_of_inverses


def rows_of(n: int, d: int, seed: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=chance, dtype=torch.float64)


def solve(g, v, damping, portion):
    parts = ((p, p.square().sum(1)) for p in g.split(portion))
    x, largest = mean_rank_one_solve(parts, v, damping=damping, count=len(g))
    torch.testing.assert_close(largest, (v @ g.T).abs().amax(dim=1))
    return x


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 11),
    st.integers(1, 4),
    st.integers(1, 7),
    st.floats(1e-4, 1e4),
    st.integers(1, 11),
)
def test_equals_the_mean_of_explicit_inverses(n, q, d, damping, portion):
    g, v = rows_of(n, d, 1), rows_of(q, d, 2)
    expected = v @ mean_of_inverses(g, damping)
    found = solve(g, v, damping, portion)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12 / damping)


def test_is_not_the_exact_inverse_for_seven_rows():
    g, v = rows_of(7, 5, 1), rows_of(3, 5, 2)
    exact = v @ damped_inverse(g, 0.1)
    assert (solve(g, v, 0.1, 7) - exact).norm() > 0.1 * exact.norm()


def test_the_query_is_left_as_it_was():
    g, v = rows_of(7, 5, 1), rows_of(3, 5, 2)
    before = v.clone()
    solve(g, v, 0.1, 2)
    assert torch.equal(v, before)


@pytest.mark.parametrize("damping", [0.0, -1.0, float("nan")])
def test_refuses_a_lambda_that_is_not_positive(damping):
    message = f"λ must be positive, got {damping}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        solve(rows_of(7, 5, 1), rows_of(3, 5, 2), damping, 7)
