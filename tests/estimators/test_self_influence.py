"""Self-influence and RelatIF against explicit inverses, pair by pair."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from datainf.core.errors import NonFiniteError, OptionError
from datainf.core.options import Normalize
from datainf.estimators.self_influence import relative_divisor
from datainf.estimators.table import METHODS, build
from tests.estimators.gradient_sets import (
    CONVERGED,
    FACTORS,
    GROUPING,
    GROUPS,
    N,
    Portioned,
    Q,
    damping_of,
    random_gradients,
    scored,
    source_of,
    tells_rows_apart,
)
from tests.reference import influence_by_inverse, own_influence_by_inverse

WITH_LENGTHS = [name for name in GROUPING if not METHODS[name].cls.unit_queries]


def themselves(method, train, *, curvature=None, keep_blocks=False, size=3, **options):
    estimator = build(method, **{**CONVERGED.get(method, {}), **options})
    rows = Portioned(train, size)
    state = estimator.fit(source_of(curvature) if curvature else rows)
    return estimator.score_themselves(state, rows, keep_blocks=keep_blocks)


@pytest.mark.parametrize("blocks", ["tensor", "module"])
@pytest.mark.parametrize(
    ("method", "normalize"),
    [(m, n) for m in GROUPING for n in Normalize if tells_rows_apart(m, n)],
)
def test_self_influence_is_the_score_of_each_row_for_itself(method, normalize, blocks):
    train, curvature = random_gradients(N, 1), random_gradients(5, 3)
    found = themselves(
        method, train, curvature=curvature, normalize=normalize, blocks=blocks
    )
    expected = own_influence_by_inverse(
        method,
        train,
        groups=GROUPS[blocks],
        damping=damping_of(method),
        normalize=normalize,
        curvature=curvature,
        factors=FACTORS,
    )
    np.testing.assert_allclose(found.values, -expected[None], rtol=1e-8)
    assert found.queries["index"].tolist() == ["itself"]
    assert (found.values <= 0).all()


@pytest.mark.parametrize("method", ["datainf", "exact"])
def test_self_influence_does_not_depend_on_portions(method):
    train = random_gradients(N, 1)
    whole, cut = (themselves(method, train, size=size) for size in (N, 2))
    np.testing.assert_allclose(whole.values, cut.values, rtol=1e-12)
    np.testing.assert_allclose(whole.residual, cut.residual, atol=1e-12)


def test_self_influence_keeps_groups_and_the_worst_residual_of_all_rows():
    train = random_gradients(N, 1)
    found = themselves("datainf", train, keep_blocks=True)
    assert found.per_block is not None
    np.testing.assert_allclose(found.per_block.sum(axis=0), found.values)
    as_queries = scored("datainf", train, train)
    np.testing.assert_allclose(
        found.residual[0], as_queries.residual.max(axis=0), atol=1e-10
    )


def test_self_influence_says_which_groups_are_silent():
    train = random_gradients(N, 1)
    train["score.bias"] = torch.zeros(N, 1, dtype=torch.float64)
    found = themselves("datainf", train, keep_blocks=True)
    assert found.per_block is not None
    assert not found.per_block[-1].any()
    assert np.isnan(found.residual[0, -1])
    assert found.provenance.notes == (
        "1 of 5 curvature groups have only zero gradients and contribute 0: "
        "score.bias.",
    )


@pytest.mark.parametrize(
    ("method", "normalize"),
    [
        ("cosine", "example"),
        ("datainf", "relatif"),
        ("dot", "example"),
        ("dot", "block"),
        ("tracin", "block"),
        ("scaled-dot", "block"),
    ],
)
def test_a_self_influence_that_is_the_same_for_all_is_refused(method, normalize):
    message = (
        f"{method} with normalize='{normalize}' gives every row the same "
        "self-influence; use another method, or normalize='none'."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        themselves(method, random_gradients(N, 1), normalize=normalize)


@pytest.mark.parametrize("blocks", ["tensor", "module"])
@pytest.mark.parametrize("method", WITH_LENGTHS)
def test_relatif_divides_by_the_root_of_self_influence(method, blocks):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    curvature = random_gradients(5, 3)
    found = scored(
        method,
        train,
        queries,
        curvature=curvature,
        normalize=Normalize.RELATIF,
        blocks=blocks,
        keep_blocks=True,
        **CONVERGED.get(method, {}),
    )
    groups = GROUPS[blocks]
    shared: Any = {
        "groups": groups,
        "damping": damping_of(method),
        "curvature": curvature,
        "factors": FACTORS,
    }
    plain = influence_by_inverse(method, train, queries, **shared)
    own = own_influence_by_inverse(method, train, **shared)
    np.testing.assert_allclose(found.values, plain / own.sqrt(), rtol=1e-7)
    assert found.per_block is not None
    np.testing.assert_allclose(found.per_block.sum(axis=0), found.values, rtol=1e-9)


@pytest.mark.parametrize("method", WITH_LENGTHS)
def test_relatif_does_not_see_the_length_of_a_candidate(method):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    longer = {name: tensor.clone() for name, tensor in train.items()}
    for tensor in longer.values():
        tensor[2] *= 37
    plain, scaled = (
        scored(method, rows, queries, curvature=train, normalize="relatif").values
        for rows in (train, longer)
    )
    np.testing.assert_allclose(plain, scaled, rtol=1e-9)


def test_relatif_of_dot_is_the_product_with_unit_rows():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    relative = scored("dot", train, queries, normalize="relatif").values
    unit = scored("dot", train, queries, normalize="example").values
    np.testing.assert_allclose(relative, unit, rtol=1e-12)


def test_a_row_without_self_influence_keeps_the_score_zero_and_is_counted():
    train = random_gradients(N, 1)
    for tensor in train.values():
        tensor[4] = 0
    found = scored("datainf", train, normalize="relatif")
    assert not found.values[:, 4].any()
    assert found.provenance.notes == (
        "1 of 7 training gradients have no self-influence to divide by; their scores "
        "are 0.",
    )


def test_a_negative_self_influence_has_no_root():
    message = (
        "normalize='relatif': the self-influence of training row 1 is -2, and its root "
        "is needed; the system is not solved well enough: raise damping or the "
        "method's steps."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        relative_divisor(torch.tensor([1.0, -2.0], dtype=torch.float64))
