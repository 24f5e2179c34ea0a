"""`datainf` against Eq. 5 as it is printed, and what it reads."""

import numpy as np
import pytest
import torch

from datainf.estimators.datainf import DataInf
from datainf.estimators.stream import GroupRows
from datainf.store.memory import InMemorySource
from datainf.workflows.influence import influence
from tests.estimators.gradient_sets import SIZES, N, Q, random_gradients, scored
from tests.reference import least_residual, mean_outer, mean_square_damping


def test_datainf_is_the_papers_double_sum():
    """Eq. 5: (1/λ) [(1/N) Σᵢ L_i L_ik / (λ + L_ii) − L_k] a block, by numbers."""
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    expected = np.zeros((Q, N))
    for name, g in train.items():
        lam = mean_square_damping(g, 0.1)
        for q, v in enumerate(queries[name]):
            for k in range(N):
                terms = [
                    float(v @ g_i) * float(g_i @ g[k]) / (lam + float(g_i @ g_i))
                    for g_i in g
                ]
                expected[q, k] += (sum(terms) / N - float(v @ g[k])) / lam
    np.testing.assert_allclose(scored("datainf").values, expected, rtol=1e-9)


def test_residual_and_scale_are_least_squares():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    made = scored("datainf")
    unit = {name: torch.eye(d).double() for name, d in SIZES.items()}
    for block, name in enumerate(SIZES):
        g = train[name]
        lam = mean_square_damping(g, 0.1)
        eye = unit[name]
        inverse = [torch.linalg.inv(torch.outer(r, r) + lam * eye) for r in g]
        p = torch.stack(inverse).mean(dim=0)
        for q, v in enumerate(queries[name]):
            expected = least_residual(mean_outer(g) + lam * eye, p @ v, v)
            found = made.residual[q, block], made.scale[q, block]
            assert found == pytest.approx(expected, abs=1e-9)


def test_each_block_is_read_twice_however_many_queries_there_are():
    class Counted(InMemorySource):
        reads = 0

        def rows(self, blocks=None, *, size=None):
            if blocks and size is None:
                Counted.reads += 1
            return super().rows(blocks, size=size)

    train = Counted(random_gradients(N, 1))
    queries = InMemorySource(random_gradients(Q, 2))
    DataInf().score(DataInf().fit(train), train, queries)
    assert Counted.reads == 2 * len(SIZES)


@pytest.mark.parametrize("count", [1, 5])
def test_rows_that_nearly_coincide_keep_their_digits_in_float32(count):
    chance = torch.Generator().manual_seed(3)
    one = torch.randn(1, 30_011, generator=chance)
    train = one + 1e-6 * torch.randn(count, 30_011, generator=chance)
    queries = torch.randn(2, 30_011, generator=chance) + one
    exact = influence({"w": train.double()}, {"w": queries.double()})
    found = influence({"w": train}, {"w": queries})
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0.0)


def test_distinct_rows_are_solved_in_their_own_precision(monkeypatch):
    def never(_):
        raise AssertionError

    monkeypatch.setattr(GroupRows, "in_float64", never)
    rows = {name: rows.float() for name, rows in random_gradients(N, 1).items()}
    asked = {name: rows.float() for name, rows in random_gradients(Q, 2).items()}
    influence(rows, asked)
