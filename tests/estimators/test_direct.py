"""The direct solution on both sides against the explicit inverse."""

import pytest
import torch

from datainf.estimators.direct import direct_solver
from datainf.estimators.stream import GroupRows
from datainf.store.memory import InMemorySource
from tests.reference import damped_inverse


@pytest.mark.parametrize("size", [5, 11])
def test_both_sides_apply_the_damped_inverse_again_and_again(size):
    chance = torch.Generator().manual_seed(1)
    g = torch.randn(7, size, generator=chance, dtype=torch.float64)
    source = InMemorySource({"w": g})
    rows = GroupRows("w", source, ("w",), torch.float64, torch.device("cpu"))
    solver = direct_solver(rows, 0.3)
    for queries in (3, 1):
        v = torch.randn(queries, size, generator=chance, dtype=torch.float64)
        solution = solver(v)
        torch.testing.assert_close(solution.x, v @ damped_inverse(g, 0.3))
        torch.testing.assert_close(solution.y, v)
