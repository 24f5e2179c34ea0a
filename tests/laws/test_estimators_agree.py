"""What ties the methods to each other, whatever the gradients are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datainf.estimators.table import METHODS, build
from tests.estimators.gradient_sets import (
    CONVERGED,
    FACTORS,
    GROUPS,
    N,
    Q,
    damping_of,
    random_gradients,
    scored,
    source_of,
)
from tests.reference import (
    influence_by_inverse,
    mean_of_inverses,
    mean_outer,
    mean_square_damping,
)

CURVED = ["scaled-dot", "datainf", "exact", "cg", "lissa", "ekfac"]
SIZES = st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(1, 9))


def gaussian(rows: int, columns: int, seed: int) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return {"w": torch.randn(rows, columns, generator=chance, dtype=torch.float64)}


@settings(max_examples=25, deadline=None)
@given(SIZES, st.floats(1e-3, 1e3))
def test_datainf_equals_exact_for_one_example(sizes, damping):
    _, queries, d = sizes
    train, v = gaussian(1, d, 1), gaussian(queries, d, 2)
    mine = scored("datainf", train, v, damping=damping)
    theirs = scored("exact", train, v, damping=damping)
    np.testing.assert_allclose(mine.values, theirs.values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mine.residual, 0, atol=1e-8)
    np.testing.assert_allclose(mine.scale, 1, atol=1e-8)


@pytest.mark.parametrize("blocks", GROUPS)
@pytest.mark.parametrize("method", CURVED)
def test_scores_times_lambda_tend_to_dot_as_lambda_grows(method, blocks):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    dot = scored("dot", train, queries, blocks=blocks)
    size = np.abs(dot.values).max()
    missing = []
    for damping in (1e4, 1e8):
        estimator = build(method, damping=damping, blocks=blocks)
        rows = source_of(train)
        state = estimator.fit(rows)
        found = estimator.score(state, rows, source_of(queries), keep_blocks=True)
        lambdas = np.array([state.damping[name] for name in found.groups])
        weighted = (lambdas[:, None, None] * found.per_block).sum(axis=0)
        missing.append(np.abs(weighted - dot.values).max() / size)
    assert missing[0] < 1e-2
    assert missing[1] < 1e-6


def test_lissa_fixed_point_is_the_damped_inverse():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    options = {"steps": 3000, "tolerance": 1e-12}
    found = scored("lissa", train, queries, options=options)
    exact = scored("exact", train, queries)
    np.testing.assert_allclose(found.values, exact.values, rtol=1e-8, atol=1e-9)
    errors = [
        np.abs(
            scored("lissa", train, queries, options={"steps": steps}).values
            - exact.values
        ).max()
        for steps in (1, 5, 25, 125)
    ]
    assert errors == sorted(errors, reverse=True)


@settings(max_examples=25, deadline=None)
@given(SIZES, st.floats(1e-2, 10))
def test_the_two_sides_of_exact_agree(sizes, damping):
    n, queries, d = sizes
    # the same rows twice have the same curvature: N becomes 2N and the side may change
    train, v = gaussian(n, d, 1), gaussian(queries, d, 2)
    twice = {"w": torch.cat([train["w"], train["w"]])}
    once = scored("exact", train, v, damping=damping)
    doubled = scored("exact", train, v, curvature=twice, damping=damping)
    size = np.abs(once.values).max()
    np.testing.assert_allclose(once.values, doubled.values, rtol=0, atol=1e-10 * size)


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_linear_in_the_query(method):
    train, queries = random_gradients(N, 1), random_gradients(2, 2)
    combined = {
        name: torch.stack([v[0], v[1], 2 * v[0] - 3 * v[1], 5 * v[0]])
        for name, v in queries.items()
    }
    found = scored(method, train, combined).values
    if METHODS[method].cls.unit_queries:
        np.testing.assert_allclose(found[3], found[0], rtol=1e-12, atol=1e-12)
        return
    size = np.abs(found).max()
    np.testing.assert_allclose(found[2], 2 * found[0] - 3 * found[1], atol=1e-12 * size)


@pytest.mark.parametrize("method", METHODS)
def test_permuting_the_training_rows_permutes_the_scored(method):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    order = [3, 0, 6, 2, 5, 1, 4]
    turned = {name: tensor[order] for name, tensor in train.items()}
    found, expected = scored(method, turned, queries), scored(method, train, queries)
    size = np.abs(expected.values).max()
    np.testing.assert_allclose(
        found.values, expected.values[:, order], rtol=0, atol=1e-12 * size
    )
    np.testing.assert_allclose(found.residual, expected.residual, atol=1e-10)


@pytest.mark.parametrize("normalize", [None, "example"])
@pytest.mark.parametrize("method", METHODS)
def test_the_training_rows_as_another_source_are_the_same_curvature(method, normalize):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    copy = {name: tensor.clone() for name, tensor in train.items()}
    same = scored(method, train, queries, normalize=normalize)
    other = scored(method, train, queries, curvature=copy, normalize=normalize)
    np.testing.assert_allclose(same.values, other.values, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("normalize", ["none", "example", "block"])
@pytest.mark.parametrize("method", CURVED)
def test_curvature_rows_may_be_others_than_the_scored_ones(method, normalize):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    curvature = random_gradients(5, 3)
    found = scored(
        method,
        train,
        queries,
        curvature=curvature,
        normalize=normalize,
        blocks="module",
        **CONVERGED.get(method, {}),
    )
    expected = influence_by_inverse(
        method,
        train,
        queries,
        groups=GROUPS["module"],
        damping=damping_of(method),
        normalize=normalize,
        curvature=curvature,
        factors=FACTORS,
    )
    size = float(expected.abs().max())
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-9 * size)


@settings(max_examples=25, deadline=None)
@given(SIZES, st.floats(1e-3, 1e2))
def test_datainf_shrinks_by_a_matrix_of_trace_below_one(sizes, damping):
    """λ P = I − M with M ⪰ 0, tr M < 1; P ⪰ the damped inverse. P by unit vectors."""
    n, _, d = sizes
    train = gaussian(n, d, 1)
    unit = {"w": torch.eye(d, dtype=torch.float64)}
    found = scored("datainf", unit, unit, curvature=train, damping=damping)
    p = -torch.from_numpy(found.values)
    lam = mean_square_damping(train["w"], damping)
    torch.testing.assert_close(p, mean_of_inverses(train["w"], lam))
    m = torch.eye(d, dtype=torch.float64) - lam * p
    assert torch.linalg.eigvalsh((m + m.T) / 2).min() > -1e-12
    assert m.trace() < 1
    inverse = torch.linalg.inv(
        mean_outer(train["w"]) + lam * torch.eye(d, dtype=torch.float64)
    )
    above = lam * (p - inverse)
    assert torch.linalg.eigvalsh((above + above.T) / 2).min() > -1e-9
