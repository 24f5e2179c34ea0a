"""The random projection: its signs, what it keeps, and how well."""

import math

import pytest
import torch

from datainf.linalg.projection import SLAB, add_projection, sign_slabs

LIKE = torch.zeros((), dtype=torch.float64)
# Block "q", seed 0, two columns of seven.
GOLDEN = [[-1, -1, -1, -1, 1, 1, 1], [-1, -1, -1, 1, 1, 1, -1]]


def whole(block, *, size, width, seed=0):
    """All signs of a block as one matrix, `[d, k]`."""
    slabs = sign_slabs(block, size=size, width=width, seed=seed, like=LIKE)
    return torch.cat([signs for _, signs in slabs])


@pytest.mark.parametrize(("size", "width"), [(3, 2), (SLAB, 5), (2 * SLAB + 7, 11)])
def test_every_column_has_signs_over_the_root_of_k(size, width):
    parts = list(sign_slabs("q", size=size, width=width, seed=0, like=LIKE))
    assert [columns.start for columns, _ in parts] == list(range(0, size, SLAB))
    matrix = torch.cat([signs for _, signs in parts])
    assert matrix.shape == (size, width)
    assert set(matrix.flatten().tolist()) == {
        -1 / math.sqrt(width),
        1 / math.sqrt(width),
    }


def test_the_signs_are_those_of_the_seed_the_block_and_the_column_alone():
    long, short = (whole("q", size=size, width=3) for size in (SLAB + 9, SLAB + 2))
    assert torch.equal(long[: SLAB + 2], short)
    assert not torch.equal(long, whole("v", size=SLAB + 9, width=3))
    assert not torch.equal(long, whole("q", size=SLAB + 9, width=3, seed=1))
    assert not torch.equal(long[:9], long[SLAB:])


def test_the_signs_never_change_from_version_to_version():
    first = whole("q", size=2, width=7) * math.sqrt(7)
    assert first.round().tolist() == GOLDEN


def test_adding_up_columns_is_the_product_with_the_whole_matrix():
    size, width = SLAB + 13, 5
    chance = torch.Generator().manual_seed(1)
    rows = torch.randn(7, size, generator=chance, dtype=torch.float64)
    found = torch.zeros(7, width, dtype=torch.float64)
    for columns, signs in sign_slabs("q", size=size, width=width, seed=3, like=found):
        add_projection(found, rows[:, columns], signs)
    torch.testing.assert_close(found, rows @ whole("q", size=size, width=width, seed=3))


def test_inner_products_are_kept_on_average_with_the_variance_of_the_formula():
    size, width, seeds = 13, 5, 4000
    chance = torch.Generator().manual_seed(2)
    g, v = torch.randn(2, size, generator=chance, dtype=torch.float64)
    signs = [whole("q", size=size, width=width, seed=seed) for seed in range(seeds)]
    found = torch.stack([(g @ s) @ (v @ s) for s in signs])
    variance = (g @ g) * (v @ v) + (g @ v) ** 2 - 2 * (g * g) @ (v * v)
    expected = float((variance / width).sqrt())
    # Five standard errors of a mean, and of a standard deviation of long tails.
    assert abs(float(found.mean() - g @ v)) < 5 * expected / seeds**0.5
    assert float(found.std()) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("width", [101, 1009])
def test_the_error_falls_with_the_root_of_k(width):
    size, rows = 2003, 23
    chance = torch.Generator().manual_seed(3)
    g = torch.randn(rows, size, generator=chance, dtype=torch.float64)
    g /= g.norm(dim=1, keepdim=True)
    projected = g @ whole("q", size=size, width=width)
    error = projected @ projected.T - g @ g.T
    assert float(error.square().mean().sqrt()) == pytest.approx(width**-0.5, rel=0.2)
