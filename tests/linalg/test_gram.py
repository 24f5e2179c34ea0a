"""Streamed products against one product of whole matrices."""

import pytest
import torch

from datainf.core.share import Share, Shared
from datainf.linalg.gram import (
    apply_curvature,
    curvature_matrix,
    curvature_times,
    gram_matrix,
    largest_product,
    products,
    weighted_sum,
)

CHANCE = torch.Generator().manual_seed(0)
G = torch.randn(7, 5, generator=CHANCE, dtype=torch.float64)
X = torch.randn(3, 5, generator=CHANCE, dtype=torch.float64)
W = torch.randn(3, 7, generator=CHANCE, dtype=torch.float64)


@pytest.mark.parametrize("portion", [1, 2, 7])
def test_streamed_products_equal_whole_ones(portion):
    rows = G.split(portion)
    close = torch.testing.assert_close
    close(products(rows, X, count=7), X @ G.T)
    close(weighted_sum(rows, W, size=5), W @ G)
    applied, found = apply_curvature(rows, X, count=7)
    close(applied, X @ G.T @ G / 7)
    close(found, X @ G.T)
    close(curvature_times(rows, X, count=7), applied)
    close(curvature_matrix(rows, count=7, size=5), G.T @ G / 7)
    close(gram_matrix(G.split(portion, dim=1), count=7), G @ G.T)


def test_matrices_are_float64():
    assert curvature_matrix([G], count=7, size=5).dtype == torch.float64
    assert gram_matrix([G], count=7).dtype == torch.float64


def test_a_process_without_rows_takes_the_largest_of_the_others():
    others = torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64)
    share = Share(range(0), 1, 2, largest=lambda own: torch.maximum(own, others))
    rows = Shared(share, lambda: iter(()))
    assert torch.equal(largest_product(rows, X[:, :0], count=7), others)
    found = largest_product([G], X @ G.T, count=7)
    assert torch.equal(found, (X @ G.T).abs().amax(dim=1))
