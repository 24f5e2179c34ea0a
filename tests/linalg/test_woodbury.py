"""Both sides of the damped system against the explicit inverse."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datainf.core.errors import NonFiniteError
from datainf.linalg.woodbury import factor_example_side, factor_parameter_side
from tests.reference import damped_inverse


def rows_of(n: int, d: int, seed: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=chance, dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 11), st.integers(1, 4), st.integers(1, 11), st.floats(1e-2, 1e2))
def test_both_sides_equal_the_explicit_inverse(n, q, d, damping):
    g, v = rows_of(n, d, 1), rows_of(q, d, 2)
    expected = v @ damped_inverse(g, damping)
    side = factor_parameter_side(g.split(2), size=d, damping=damping, count=n)
    x, y = side.solve(v)
    torch.testing.assert_close(x, expected, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(y, v, rtol=1e-9, atol=1e-11)
    other = factor_example_side(g.split(2), g.split(3, dim=1), damping=damping, count=n)
    x, y, found = other.solve(v)
    torch.testing.assert_close(x, expected, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(y, v, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(found, expected @ g.T, rtol=1e-9, atol=1e-11)


def test_a_damping_lost_in_rounding_is_refused():
    g = torch.full((7, 5), 1 / 3, dtype=torch.float64)
    message = (
        "the Cholesky factor of a {0}×{0} curvature matrix broke down: the damping is "
        "lost in rounding; raise damping."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message.format(5))}$"):
        factor_parameter_side([g], size=5, damping=1e-300, count=7)
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message.format(7))}$"):
        factor_example_side([g], [g], damping=1e-300, count=7)
