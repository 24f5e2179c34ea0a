"""The recursion against its series, term by term, and against the inverse."""

import re

import pytest
import torch

from datainf.core.errors import NonFiniteError
from datainf.linalg.neumann import neumann_solve
from tests.reference import damped_inverse, neumann_matrix

CHANCE = torch.Generator().manual_seed(0)
G = torch.randn(7, 5, generator=CHANCE, dtype=torch.float64)
V = torch.randn(3, 5, generator=CHANCE, dtype=torch.float64)


def solve(v=V, scale=4.0, steps=10, tolerance=1e-5):
    return neumann_solve(
        G.split(2),
        v,
        damping=0.2,
        scale=scale,
        steps=steps,
        tolerance=tolerance,
        count=7,
    )


@pytest.mark.parametrize("steps", [1, 2, 11])
def test_equals_the_series_term_by_term(steps):
    end = solve(steps=steps, tolerance=1e-300)
    x = V @ neumann_matrix(G, 0.2, 4.0, steps)
    y = x @ (G.T @ G / 7) + 0.2 * x
    torch.testing.assert_close(end.x, x)
    torch.testing.assert_close(end.y, y)
    torch.testing.assert_close(end.products, x @ G.T)
    assert end.steps == steps
    assert end.error == pytest.approx(
        float(((y - V).norm(dim=1) / V.norm(dim=1)).max())
    )


def test_the_fixed_point_is_the_damped_inverse():
    end = solve(steps=3000, tolerance=1e-13)
    torch.testing.assert_close(end.x, V @ damped_inverse(G, 0.2), rtol=1e-10, atol=0)


def test_stops_at_the_tolerance():
    end = solve(steps=3000, tolerance=1e-3)
    assert end.error <= 1e-3
    assert end.steps < 3000
    assert solve(steps=end.steps - 1, tolerance=1e-3).error > 1e-3


def test_a_zero_query_needs_no_step():
    end = solve(v=torch.zeros_like(V))
    assert (end.steps, end.error) == (0, 0)


@pytest.mark.parametrize("share", [0.2, 0.49])
def test_divergence_is_refused(share):
    largest = float(torch.linalg.eigvalsh(G.T @ G / 7)[-1]) + 0.2
    scale = share * largest
    message = (
        r"the Neumann recursion diverges: the relative residual rose to [\d.e+]+ in "
        rf"step \d+ at scale s = {re.escape(f'{scale:.3g}')}, which must exceed half "
        r"the largest eigenvalue of the damped curvature; raise scale\."
    )
    with pytest.raises(NonFiniteError, match=f"^{message}$"):
        solve(scale=scale, steps=3000)


def test_half_the_largest_eigenvalue_is_enough():
    largest = float(torch.linalg.eigvalsh(G.T @ G / 7)[-1]) + 0.2
    assert solve(scale=0.51 * largest, steps=3000).error <= 1e-5
