"""The power iteration against the eigenvalues."""

import pytest
import torch

from datainf.linalg.power import largest_eigenvalue


@pytest.mark.parametrize(("n", "d"), [(7, 5), (5, 13), (3, 1)])
def test_finds_the_largest_eigenvalue_from_below(n, d):
    chance = torch.Generator().manual_seed(0)
    g = torch.randn(n, d, generator=chance, dtype=torch.float64)
    expected = float(torch.linalg.eigvalsh(g.T @ g / n)[-1])
    found = [
        largest_eigenvalue(g.split(2), g, count=n, steps=steps, seed=1)
        for steps in (1, 3, 40)
    ]
    assert found[0] <= found[1] * (1 + 1e-12) <= found[2] * (1 + 2e-12)
    assert max(found) <= expected * (1 + 1e-12)
    assert found[-1] == pytest.approx(expected, rel=1e-6)


def test_the_seed_decides():
    g = torch.randn(7, 13, generator=torch.Generator().manual_seed(0))
    first, same, other = (
        largest_eigenvalue([g], g, count=7, steps=1, seed=seed) for seed in (1, 1, 2)
    )
    assert first == same != other
