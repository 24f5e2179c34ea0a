"""λ from squared lengths equals λ from every entry."""

import pytest
import torch

from datainf.linalg.damping import block_damping
from tests.reference import mean_square_damping


def test_lambda_is_damping_times_the_mean_squared_entry():
    g = torch.randn(7, 5, dtype=torch.float64)
    total = float(g.square().sum())
    found = block_damping(total, rows=7, size=5, damping=0.3)
    assert found == pytest.approx(mean_square_damping(g, 0.3), rel=1e-12)


def test_lambda_of_a_zero_block_is_zero():
    assert block_damping(0.0, rows=7, size=5, damping=0.1) == 0.0
