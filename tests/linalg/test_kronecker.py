"""The eigenbasis of a Kronecker product against the product itself, in float64."""

import torch

from datainf.linalg.kronecker import (
    KroneckerBasis,
    SideBySide,
    eigenvectors,
    mean_squares,
)
from tests.reference import mean_outer

OUT, IN, N = 3, 5, 7


def factor(side: int, seed: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    root = torch.randn(side, side + 2, generator=chance, dtype=torch.float64)
    return root @ root.T


S, A = factor(OUT, 1), factor(IN, 2)
BASIS = KroneckerBasis(eigenvectors(S), eigenvectors(A))
COLUMNS = torch.kron(BASIS.left, BASIS.right)
ROWS = torch.randn(
    N, OUT * IN, generator=torch.Generator().manual_seed(3), dtype=torch.float64
)


def test_the_columns_diagonalise_the_kronecker_product():
    turned = COLUMNS.T @ torch.kron(S, A) @ COLUMNS
    torch.testing.assert_close(turned, torch.diag(turned.diagonal()))
    torch.testing.assert_close(COLUMNS.T @ COLUMNS, torch.eye(OUT * IN).double())


def test_coordinates_are_products_with_the_columns_and_turn_back():
    torch.testing.assert_close(BASIS.coordinates(ROWS), ROWS @ COLUMNS)
    torch.testing.assert_close(BASIS.combined(ROWS), ROWS @ COLUMNS.T)
    torch.testing.assert_close(BASIS.combined(BASIS.coordinates(ROWS)), ROWS)


def test_blocks_side_by_side_keep_their_own_bases():
    basis = SideBySide([(2, None), (OUT * IN, BASIS)])
    rows = torch.cat([ROWS[:, :2], ROWS], dim=1)
    whole = torch.block_diag(torch.eye(2).double(), COLUMNS)
    torch.testing.assert_close(basis.coordinates(rows), rows @ whole)
    torch.testing.assert_close(basis.combined(rows), rows @ whole.T)


def test_mean_squares_are_the_diagonal_of_the_curvature_in_the_basis():
    parts = [ROWS[:2], ROWS[2:]]
    basis = SideBySide([(OUT * IN, BASIS)])
    found = mean_squares(parts, basis, count=N, size=OUT * IN)
    expected = torch.diag(COLUMNS.T @ mean_outer(ROWS) @ COLUMNS)
    torch.testing.assert_close(found, expected)
    # The customary damping, a share of the mean eigenvalue, is λ of every method.
    torch.testing.assert_close(found.mean(), ROWS.square().mean())
