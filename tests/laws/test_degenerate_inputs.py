"""What methods make of inputs at the edge: a defined result or a clear refusal."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import NonFiniteError, OptionError
from datainf.core.records import Scores
from datainf.estimators.table import METHODS, build
from tests.estimators.gradient_sets import (
    CONVERGED,
    FACTORS,
    GROUPING,
    GROUPS,
    SIZES,
    N,
    Q,
    damping_of,
    random_gradients,
    source_of,
    tells_rows_apart,
)
from tests.reference import influence_by_inverse, own_influence_by_inverse

NORMALIZE = ("none", "example", "block", "relatif")
DIVIDING = [name for name in GROUPING if METHODS[name].cls.divides]
SOLVING = ["datainf", "exact", "cg", "lissa", "ekfac", "auto"]
# Self-influence of unit queries is the same for every row: refused, as is RelatIF.
WITH_LENGTHS = [name for name in GROUPING if not METHODS[name].cls.unit_queries]
CASES = [
    (method, normalize)
    for method in GROUPING
    for normalize in NORMALIZE
    if (method in WITH_LENGTHS or normalize == "example")
]


def score(method, train, queries, *, normalize=None, blocks="tensor") -> Scores:
    estimator = build(
        method, normalize=normalize, blocks=blocks, **CONVERGED.get(method, {})
    )
    rows = source_of(train)
    return estimator.score(
        estimator.fit(rows), rows, source_of(queries), keep_blocks=True
    )


def themselves(method, train, **options):
    estimator = build(method, **{**CONVERGED.get(method, {}), **options})
    rows = source_of(train)
    return estimator.score_themselves(estimator.fit(rows), rows)


def expected(method, train, queries, normalize, groups):
    shared = {
        "groups": groups,
        "damping": damping_of(method),
        "factors": FACTORS,
    }
    found = influence_by_inverse(method, train, queries, normalize=normalize, **shared)
    if normalize == "relatif":
        own = own_influence_by_inverse(method, train, **shared)
        found = found / torch.where(own > 0, own, torch.ones_like(own)).sqrt()
    return found.numpy()


def require_the_formula(method, train, queries, normalize, blocks="tensor"):
    """Compare values with the written formula; residual and scale with their law."""
    groups = [list(train)] if blocks == "all" else [[name] for name in train]
    made = score(method, train, queries, normalize=normalize, blocks=blocks)
    right = expected(method, train, queries, normalize, groups)
    size = max(np.abs(right).max(), 1e-30)
    np.testing.assert_allclose(made.values, right, rtol=0, atol=1e-8 * size)
    assert made.per_block is not None
    np.testing.assert_allclose(
        made.per_block.sum(axis=0), made.values, rtol=0, atol=1e-10 * size
    )
    if method in SOLVING:
        assert ((made.residual >= 0) & (made.residual <= 1)).all()
        assert np.isfinite(made.scale).all()
        if method not in {"datainf", "ekfac"}:
            assert made.residual.max() < 1e-8
            np.testing.assert_allclose(made.scale, 1, atol=1e-8)
    else:
        assert np.isnan(made.residual).all()
        assert np.isnan(made.scale).all()
    return made


def require_own(method, train, normalize="none"):
    """Compare self-influence with the written formula."""
    found = themselves(method, train, normalize=normalize)
    right = own_influence_by_inverse(
        method,
        train,
        groups=[[name] for name in train],
        damping=damping_of(method),
        normalize=normalize,
        factors=FACTORS,
    ).numpy()
    np.testing.assert_allclose(
        found.values[0], -right, rtol=0, atol=1e-8 * max(np.abs(right).max(), 1e-30)
    )
    return found


@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_a_query_of_zero_scores_zero_and_counts_as_solved(method, normalize):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    for tensor in queries.values():
        tensor[1] = 0
    made = require_the_formula(method, train, queries, normalize)
    assert not made.values[1].any()
    if method in SOLVING:
        assert (made.residual[1] == 0).all()
        assert (made.scale[1] == 1).all()
    if METHODS[method].cls.unit_queries:
        (note,) = made.provenance.notes
        assert note == ("1 of 3 query gradients have length zero; their scores are 0.")


@pytest.mark.parametrize("method", GROUPING)
def test_queries_that_are_all_zero_score_zero(method):
    zeros = {name: torch.zeros(Q, d, dtype=torch.float64) for name, d in SIZES.items()}
    assert not score(method, random_gradients(N, 1), zeros).values.any()


@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_a_training_gradient_of_zero_scores_zero_and_is_said(method, normalize):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    for tensor in train.values():
        tensor[4] = 0
    made = require_the_formula(method, train, queries, normalize)
    assert not made.values[:, 4].any()
    said = {
        "example": "1 of 7 training gradients have length zero and stay zero",
        "block": "1 of 7 training gradients have length zero and stay zero",
        "relatif": "1 of 7 training gradients have no self-influence to divide by",
    }
    if normalize in said:
        assert any(note.startswith(said[normalize]) for note in made.provenance.notes)
    if tells_rows_apart(method, normalize):
        assert require_own(method, train, normalize).values[0, 4] == 0


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_blocks_of_lower_rank_are_scored_by_the_formula(method, normalize, rank):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    for name, tensor in train.items():
        u, s, vt = torch.linalg.svd(tensor, full_matrices=False)
        s[rank:] = 0
        train[name] = u * s @ vt
    require_the_formula(method, train, queries, normalize)
    if tells_rows_apart(method, normalize):
        require_own(method, train, normalize)


@pytest.mark.parametrize("method", DIVIDING)
def test_no_damping_is_refused_before_any_reading(method):
    message = f"{method}: damping must be a positive number, got 0.0."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        build(method, damping=0.0)


@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_duplicated_examples_score_alike_and_change_no_other(method, normalize):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    once = score(method, train, queries, normalize=normalize)
    twice = {name: torch.cat([tensor, tensor]) for name, tensor in train.items()}
    made = require_the_formula(method, twice, queries, normalize)
    size = np.abs(once.values).max()
    for half in (made.values[:, :N], made.values[:, N:]):
        np.testing.assert_allclose(half, once.values, rtol=0, atol=1e-9 * size)


@pytest.mark.parametrize("method", WITH_LENGTHS)
def test_the_same_example_throughout_is_scored(method):
    one, queries = random_gradients(1, 1), random_gradients(Q, 2)
    train = {name: tensor.repeat(N, 1) for name, tensor in one.items()}
    for normalize in NORMALIZE:
        made = require_the_formula(method, train, queries, normalize)
        size = np.abs(made.values).max()
        np.testing.assert_allclose(
            made.values, made.values[:, :1].repeat(N, axis=1), atol=1e-9 * size
        )


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_fewer_rows_than_queries_are_scored_and_a_single_one_too(
    method, normalize, rows
):
    train, queries = random_gradients(rows, 1), random_gradients(11, 2)
    require_the_formula(method, train, queries, normalize)
    if tells_rows_apart(method, normalize):
        assert require_own(method, train, normalize).values.shape == (1, rows)


@pytest.mark.parametrize("size", [1, 13])
@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_one_block_only_is_scored_even_of_one_parameter(method, normalize, size):
    chance = torch.Generator().manual_seed(3)
    train, queries = (
        {"w": torch.randn(n, size, generator=chance, dtype=torch.float64)}
        for n in (N, Q)
    )
    for blocks in GROUPS:
        require_the_formula(method, train, queries, normalize, blocks)
    if tells_rows_apart(method, normalize):
        require_own(method, train, normalize)


@pytest.mark.parametrize("method", GROUPING)
def test_one_number_for_one_row_and_one_query(method):
    train, queries = ({"w": torch.tensor([[value]])} for value in (2.0, -3.0))
    made = score(method, train, queries)
    assert made.values.shape == (1, 1)
    assert float(made.values[0, 0]) > 0


@pytest.mark.parametrize("method", WITH_LENGTHS)
def test_relatif_of_rows_that_are_all_zero_divides_by_nothing(method):
    zeros = {name: torch.zeros(N, d, dtype=torch.float64) for name, d in SIZES.items()}
    made = score(method, zeros, random_gradients(Q, 2), normalize="relatif")
    assert not made.values.any()


@pytest.mark.parametrize("method", GROUPING)
def test_numbers_that_are_none_are_refused_by_block_and_row(method):
    train = random_gradients(N, 1)
    train["score.bias"][5] = torch.nan
    with pytest.raises(NonFiniteError, match=r"block score\.bias, row 5 is NaN"):
        score(method, train, random_gradients(Q, 2))
