"""The sketch against the matrix that it stands for."""

import pytest
import torch

from datainf.linalg.nystrom import nystrom_preconditioner
from tests.reference import damped_inverse, mean_outer

DAMPING = 0.2

# By how much a sketch of so many directions improves the condition number at least.
EXPECTED = {3: 2, 8: 10}


def gaussian(n, d, rank=None, dtype=torch.float64):
    chance = torch.Generator().manual_seed(n)
    rows = torch.randn(n, rank or d, generator=chance, dtype=torch.float64)
    if rank:
        rows = rows @ torch.randn(rank, d, generator=chance, dtype=torch.float64)
    return rows.to(dtype)


def sketch(g, rank, seed=0, damping=DAMPING):
    return nystrom_preconditioner(
        g.split(2), g, damping=damping, count=len(g), rank=rank, seed=seed
    )


def matrix_of(preconditioner):
    """P⁻¹, by unit vectors."""
    basis = preconditioner.basis
    return preconditioner.apply(torch.eye(basis.shape[1], dtype=basis.dtype))


@pytest.mark.parametrize(
    ("n", "d", "rank"), [(7, 5, None), (5, 13, None), (11, 13, 3), (7, 7, 2), (1, 3, 1)]
)
def test_a_sketch_of_the_full_rank_inverts_exactly(n, d, rank):
    g = gaussian(n, d, rank)
    found = matrix_of(sketch(g, 100))
    expected = DAMPING * damped_inverse(g, DAMPING)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rank", EXPECTED)
def test_what_is_left_is_positive_and_better_conditioned(rank, dtype):
    g = gaussian(23, 13) * 6 * 0.6 ** torch.arange(13)
    found = matrix_of(sketch(g.to(dtype), rank)).double()
    assert torch.linalg.eigvalsh((found + found.T) / 2)[0] > 0
    damped = mean_outer(g) + DAMPING * torch.eye(13, dtype=torch.float64)
    eigenvalues = torch.linalg.eigvals(found @ damped).real
    left = eigenvalues.max() / eigenvalues.min()
    assert 1 <= left < torch.linalg.cond(damped) / EXPECTED[rank]


def test_rows_of_any_size_are_sketched_in_float32():
    g = gaussian(7, 5, dtype=torch.float32)
    plain = matrix_of(sketch(g, 3))
    for size in (1e-13, 1e13):
        scaled = sketch(g * size, 3, damping=DAMPING * size**2)
        torch.testing.assert_close(matrix_of(scaled), plain, rtol=1e-4, atol=1e-5)


def test_the_seed_decides():
    g = gaussian(11, 13)
    first, same, other = (sketch(g, 3, seed).basis for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)


def test_another_dtype_is_the_same_matrix():
    made = sketch(gaussian(11, 13, dtype=torch.float32), 3)
    wide = made.to(torch.float64)
    assert wide.basis.dtype == wide.change.dtype == torch.float64
    torch.testing.assert_close(matrix_of(wide).float(), matrix_of(made))
