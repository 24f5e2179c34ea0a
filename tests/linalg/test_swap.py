"""The mean of inverses against the inverse of the mean, each formed by hand."""

import pytest
import torch

from datainf.core.errors import OptionError
from datainf.linalg.swap import swap_error
from tests.reference import damped_inverse, mean_of_inverses

# More rows than parameters, fewer, and as many.
SHAPES = [(11, 5), (5, 11), (7, 7)]


def rows(shape: tuple[int, int]) -> torch.Tensor:
    """Gradients of lengths that differ, around a direction they share."""
    return torch.randn(*shape, dtype=torch.float64) * torch.rand(shape[0], 1) + 0.3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lam", [0.013, 0.7, 19.0])
def test_the_error_is_that_of_the_two_inverses_formed_by_hand(shape, lam):
    g = rows(shape)
    true, swapped = damped_inverse(g, lam), mean_of_inverses(g, lam)
    m = torch.eye(shape[1]).double() - lam * swapped
    found = swap_error(g, damping=lam)
    expected = {
        "error": float(torch.linalg.matrix_norm(true - swapped, ord=2)),
        "inverse": float(torch.linalg.matrix_norm(true, ord=2)),
        "trace": float(m.trace()),
        "least_of_m": float(torch.linalg.eigvalsh(m)[0]),
        "least_gap": float(torch.linalg.eigvalsh(lam * (swapped - true))[0]),
    }
    assert vars(found) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_of_inverses_is_never_below_the_inverse_and_tr_m_is_below_one(shape):
    for lam in (1e-6, 0.1, 100.0):
        found = swap_error(rows(shape), damping=lam)
        assert 0 < found.trace < 1
        assert min(found.least_of_m, found.least_gap) > -1e-12
        assert found.error <= 1 / lam


def test_the_swap_is_exact_for_one_example():
    assert swap_error(rows((1, 5)), damping=0.3).error < 1e-14


def test_the_relative_error_vanishes_as_damping_grows():
    found = swap_error(rows((7, 5)), damping=1e9)
    assert found.error / found.inverse < 1e-8


@pytest.mark.parametrize("lam", [0.0, -1.0, float("nan")])
def test_a_damping_that_is_not_positive_is_refused(lam):
    with pytest.raises(OptionError, match=rf"^λ must be positive, got {lam}\.$"):
        swap_error(rows((3, 2)), damping=lam)
