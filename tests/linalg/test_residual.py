"""The residual against least squares."""

import pytest
import torch

from datainf.linalg.residual import residual_and_scale
from tests.reference import least_residual


@pytest.mark.parametrize("queries", [3, 8, 11])
def test_equals_least_squares(queries):
    chance = torch.Generator().manual_seed(0)
    x = torch.randn(queries, 5, generator=chance, dtype=torch.float64)
    v = torch.randn(queries, 5, generator=chance, dtype=torch.float64)
    root = torch.randn(5, 5, generator=chance, dtype=torch.float64)
    matrix = root @ root.T
    residual, scale = residual_and_scale(x @ matrix, v)
    for i in range(queries):
        expected = least_residual(matrix, x[i], v[i])
        assert (float(residual[i]), float(scale[i])) == pytest.approx(expected)


def test_a_multiple_of_the_solution_is_solved_at_that_scale():
    v = torch.tensor([[3.0, 4.0], [1e-20, -1e-20]])
    residual, scale = residual_and_scale(v * 4, v)
    assert residual.tolist() == [0, 0]
    assert scale.tolist() == [0.25, 0.25]


def test_small_residuals_are_not_lost_in_rounding():
    v = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([[1.0, 1e-12]], dtype=torch.float64)
    assert float(residual_and_scale(y, v)[0]) == pytest.approx(1e-12)


def test_a_zero_query_is_solved_by_zero():
    zero = torch.zeros(1, 2)
    residual, scale = residual_and_scale(zero, zero)
    assert (residual.item(), scale.item()) == (0, 1)


def test_a_solution_of_zero_leaves_everything():
    residual, scale = residual_and_scale(torch.zeros(1, 2), torch.ones(1, 2))
    assert (residual.item(), scale.item()) == (1, 0)


def test_rounding_lifts_no_residual_above_one():
    chance = torch.Generator().manual_seed(0)
    v, w = (torch.randn(97, 3, generator=chance, dtype=torch.float64) for _ in "vw")
    residual, _ = residual_and_scale(torch.linalg.cross(v, w), v)
    assert 1 - 1e-12 < residual.min() <= residual.max() <= 1
