"""Conjugate gradients against the inverse, and what they do in float32."""

import pytest
import torch

from datainf.linalg.conjugate_gradient import conjugate_gradient, refined_solve
from datainf.linalg.nystrom import nystrom_preconditioner
from tests.reference import damped_inverse, mean_outer

CHANCE = torch.Generator().manual_seed(0)
# steep, so that a sketch of few directions leaves something to do
G = torch.randn(17, 13, generator=CHANCE, dtype=torch.float64) * 0.6 ** torch.arange(13)
V = torch.randn(3, 13, generator=CHANCE, dtype=torch.float64)


def solve(v=V, g=G, damping=1e-3, tolerance=1e-6, steps=200, rank=2):
    sketch = nystrom_preconditioner(
        g.split(2), g, damping=damping, count=len(g), rank=rank, seed=0
    )
    return refined_solve(
        g.split(2),
        g.double().split(2),
        v,
        preconditioner=sketch,
        tolerance=tolerance,
        steps=steps,
        count=len(g),
    )


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_each_step_is_the_best_of_its_krylov_space(steps):
    a = mean_outer(G) + 0.1 * torch.eye(13, dtype=torch.float64)
    found, taken = conjugate_gradient(
        lambda p: p @ a, lambda r: r, V, goal=torch.zeros(3).double(), steps=steps
    )
    assert taken == steps
    for x, v in zip(found, V, strict=True):
        powers = [v]
        for _ in range(steps - 1):
            powers.append(a @ powers[-1])
        k = torch.linalg.qr(torch.stack(powers, dim=1)).Q
        expected = k @ torch.linalg.solve(k.T @ a @ k, k.T @ v)
        torch.testing.assert_close(x, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_inverse_is_reached_to_rounding(dtype):
    g = G.to(dtype)
    end = solve(g=g, v=V.to(dtype), tolerance=1e-12)
    v = V.to(dtype).double()
    torch.testing.assert_close(
        end.x, v @ damped_inverse(g.double(), 1e-3), rtol=1e-8, atol=1e-9
    )
    g = g.double()
    y = end.x @ mean_outer(g) + 1e-3 * end.x
    torch.testing.assert_close(end.y, y)
    torch.testing.assert_close(end.products, end.x @ g.T)
    errors = (y - v).norm(dim=1) / v.norm(dim=1)
    torch.testing.assert_close(end.errors, errors, rtol=0, atol=1e-14)
    assert float(end.errors.max()) <= 1e-12


def test_stops_at_the_tolerance_of_every_query():
    easy = damped_inverse(G, 1e-3)[:1] * 0 + mean_outer(G)[:1]
    alone, both = solve(v=V), solve(v=torch.cat([V, easy]))
    assert float(alone.errors.max()) <= 1e-6
    assert float(both.errors.max()) <= 1e-6
    torch.testing.assert_close(both.x[:3], alone.x, rtol=1e-4, atol=1e-4)
    assert solve(v=V, tolerance=1e-2).steps < alone.steps


def test_a_query_that_is_done_leaves_the_product():
    seen = []
    a = mean_outer(G) + 0.1 * torch.eye(13, dtype=torch.float64)
    eigenvector = torch.linalg.eigh(a).eigenvectors[:, :1].T

    def apply(p):
        seen.append(len(p))
        return p @ a

    b = torch.cat([eigenvector, V])
    goal = torch.full((4,), 1e-9).double()
    conjugate_gradient(apply, lambda r: r, b, goal=goal, steps=40)
    assert seen[:2] == [4, 3]
    assert seen == sorted(seen, reverse=True)


def test_steps_that_run_out_leave_an_honest_error():
    end = solve(steps=2, rank=1)
    assert end.steps == 2
    assert float(end.errors.min()) > 1e-6
    y = end.x @ mean_outer(G) + 1e-3 * end.x
    torch.testing.assert_close(end.errors, (y - V).norm(dim=1) / V.norm(dim=1))


def test_a_zero_query_needs_no_step():
    end = solve(v=torch.zeros_like(V))
    assert (end.steps, float(end.errors.max())) == (0, 0)
    assert not end.x.any()
    mixed = solve(v=torch.cat([V[:1], torch.zeros_like(V[:1])]))
    torch.testing.assert_close(mixed.x[0], solve(v=V[:1]).x[0], rtol=1e-5, atol=1e-5)
    assert not mixed.x[1].any()


def test_float32_is_refined_where_it_can_and_left_where_it_cannot():
    g, v = G.float(), V.float()
    mild = solve(g=g, v=v, damping=1e-2, tolerance=1e-9)
    fall = torch.arange(1, 212, dtype=torch.float64) ** -0.7
    g, v = (torch.randn(n, 211, generator=CHANCE).double() * fall for n in (157, 3))
    hard = solve(g=g.float(), v=v.float(), damping=1e-9, tolerance=1e-9, steps=5000)
    assert not mild.wide
    assert hard.wide
    assert float(mild.errors.max()) <= 1e-9


def test_a_tolerance_beyond_float64_ends_and_says_so():
    end = solve(damping=1e-9, tolerance=1e-18, steps=10_000)
    assert end.steps < 1000
    assert float(end.errors.max()) > 1e-18
