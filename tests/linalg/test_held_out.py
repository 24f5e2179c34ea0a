"""The held-out loss against explicit inverses, and what it is the loss of."""

import pytest
import torch

from datainf.linalg.held_out import held_out_losses
from tests.reference import damped_inverse

LAMBDAS = [0.03, 0.7, 11.0]


def rows_of(n: int, d: int, seed: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    size = torch.rand(n, 1, generator=chance, dtype=torch.float64) + 0.5
    return size * torch.randn(n, d, generator=chance, dtype=torch.float64)


def by_hand(fitted: torch.Tensor, unseen: torch.Tensor, lam: float) -> float:
    p = damped_inverse(fitted, lam)
    squares = [
        float(b @ p @ c) ** 2
        for i, b in enumerate(unseen)
        for j, c in enumerate(unseen)
        if i != j
    ]
    own = [float(b @ p @ b) for b in unseen]
    return sum(squares) / len(squares) / 2 - sum(own) / len(own)


@pytest.mark.parametrize(("n", "d"), [(13, 5), (11, 17), (7, 1)])
def test_the_loss_is_that_of_the_explicit_inverse_on_unseen_rows(n, d):
    g = rows_of(n, d, 1)
    first = [i for i in range(n) if i % 4 in (0, 3)]
    second = [i for i in range(n) if i % 4 in (1, 2)]
    expected = [
        (by_hand(g[first], g[second], lam) + by_hand(g[second], g[first], lam)) / 2
        for lam in LAMBDAS
    ]
    found = held_out_losses(g @ g.T, LAMBDAS)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_rows_that_repeat_or_vanish_have_a_loss_too():
    g = rows_of(5, 3, 1)[[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]]
    g[[2, 7]] = 0
    assert torch.isfinite(held_out_losses(g @ g.T, LAMBDAS)).all()


def test_the_loss_measures_the_distance_of_the_inverse_from_the_true_one():
    """Over many draws: ½ ‖Σ^½ P Σ^½ − I‖² − d/2, with Σ known."""
    root = torch.diag(torch.tensor([3.0, 1.0, 0.3], dtype=torch.float64))
    chance = torch.Generator().manual_seed(0)
    found, expected = torch.zeros(3).double(), torch.zeros(3).double()
    draws, n, lambdas = 2000, 24, [0.3, 0.7, 11.0]
    first = torch.tensor([i for i in range(n) if i % 4 in (0, 3)])
    second = torch.tensor([i for i in range(n) if i % 4 in (1, 2)])
    for _ in range(draws):
        g = torch.randn(n, 3, generator=chance, dtype=torch.float64) @ root
        found += held_out_losses(g @ g.T, lambdas) / draws
        for half in (first, second):
            for i, lam in enumerate(lambdas):
                near = root @ damped_inverse(g[half], lam) @ root - torch.eye(3)
                expected[i] += (near.square().sum() / 2 - 1.5) / (2 * draws)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.05)
