"""Projection of both sides: what it keeps, and that factors may go first."""

import torch

from datainf.linalg.sides import INPUTS, OUTPUTS, project_sides, side_matrix

LIKE = torch.zeros((), dtype=torch.float64)
O, I, K, T = 7, 11, 5, 13  # noqa: E741 - outputs, inputs, width, tokens


def pair(seed=0, block="q"):
    return tuple(
        side_matrix(block, side, size=size, width=K, seed=seed, like=LIKE)
        for side, size in ((OUTPUTS, O), (INPUTS, I))
    )


def matrices(count, seed):
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(count, O, I, generator=chance, dtype=torch.float64)


def test_it_is_the_product_with_a_matrix_on_either_side():
    g, (left, right) = matrices(3, 1), pair()
    slow = torch.stack([left.T @ one @ right for one in g])
    torch.testing.assert_close(project_sides(g, left, right), slow)
    torch.testing.assert_close(project_sides(g, left, None), left.T @ g)
    torch.testing.assert_close(project_sides(g, None, right), g @ right)
    assert project_sides(g, None, None) is g


def test_projecting_the_factors_first_gives_the_projected_sum_of_products():
    chance = torch.Generator().manual_seed(2)
    x = torch.randn(T, I, generator=chance, dtype=torch.float64)
    g = torch.randn(T, O, generator=chance, dtype=torch.float64)
    left, right = pair()
    whole = project_sides((g.T @ x)[None], left, right)[0]
    torch.testing.assert_close((g @ left).T @ (x @ right), whole, rtol=0, atol=1e-12)


def test_inner_products_are_those_of_whole_gradients_on_average():
    g, v = matrices(2, 3)
    seeds = 1500
    products = torch.stack(
        [
            (project_sides(g[None], *p) * project_sides(v[None], *p)).sum()
            for p in map(pair, range(seeds))
        ]
    )
    error = float(products.mean() - (g * v).sum())
    assert abs(error) < 4 * float(products.std()) / seeds**0.5


def test_one_projected_side_has_no_more_variance_than_is_said():
    g, v = matrices(2, 4)
    right = [pair(seed)[1] for seed in range(1000)]
    products = torch.stack([((g @ p) * (v @ p)).sum() for p in right])
    bound = 2 * g.square().sum() * v.square().sum() / K
    assert products.var() < bound


def test_blocks_sides_and_seeds_have_matrices_of_their_own():
    square = [
        side_matrix(block, side, size=I, width=K, seed=seed, like=LIKE)
        for block, side, seed in [
            ("q", OUTPUTS, 0),
            ("q", INPUTS, 0),
            ("v", INPUTS, 0),
            ("q", INPUTS, 1),
        ]
    ]
    for i, one in enumerate(square):
        for other in square[:i]:
            assert not torch.equal(one, other)
