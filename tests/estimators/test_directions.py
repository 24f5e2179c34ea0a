"""Directions of both sides against explicit inverses and against the scores."""

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.estimators.table import build
from datainf.store.memory import InMemorySource
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
    without,
)
from tests.reference import (
    kronecker_basis,
    mean_square_damping,
    preconditioner,
    side_by_side,
    unit_rows,
)

CURVATURE, TRAIN, QUERIES = (
    random_gradients(n, s) for n, s in ((5, 3), (N, 1), (Q, 2))
)


def normalized(method: str) -> list[str]:
    return (
        ["example"] if method == "cosine" else ["none", "example", "block", "relatif"]
    )


def fitted(method, curvature=CURVATURE, **options):
    estimator = build(method, **CONVERGED.get(method, {}), **options)
    return estimator, estimator.fit(Portioned(curvature, 2))


@pytest.mark.parametrize("blocks", GROUPS)
@pytest.mark.parametrize("method", GROUPING)
def test_precondition_multiplies_with_the_matrix_of_the_method(method, blocks):
    estimator, state = fitted(method, blocks=blocks)
    found = estimator.precondition(state, Portioned(QUERIES, 2))
    assert list(found) == list(QUERIES)
    curvature, queries = CURVATURE, QUERIES
    if method == "cosine":
        curvature, queries = unit_rows(CURVATURE), unit_rows(QUERIES)
    for names in GROUPS[blocks]:
        g = side_by_side(curvature, names)
        basis = kronecker_basis({n: curvature[n].shape[1] for n in names}, FACTORS)
        p = preconditioner(method, g, mean_square_damping(g, damping_of(method)), basis)
        x = torch.cat([found[name].double() for name in names], dim=1)
        torch.testing.assert_close(
            x, side_by_side(queries, names) @ p, rtol=1e-8, atol=1e-10
        )


@pytest.mark.parametrize("blocks", ["tensor", "module"])
@pytest.mark.parametrize(
    ("method", "normalize"), [(m, n) for m in GROUPING for n in normalized(m)]
)
def test_products_with_directions_of_either_side_are_the_scores(
    method, normalize, blocks
):
    estimator, state = fitted(method, normalize=normalize, blocks=blocks)
    train, queries = InMemorySource(TRAIN), InMemorySource(QUERIES)
    scores = estimator.score(state, train, queries).values
    found = estimator.directions(state, Portioned(TRAIN, 3), Portioned(QUERIES, 2))
    for q, k in np.ndindex(scores.shape):
        x, z = found.for_candidate(q, k), found.for_query(q, k)
        by_query = sum(float(x[name] @ TRAIN[name][k]) for name in TRAIN)
        by_row = sum(float(z[name] @ QUERIES[name][q]) for name in TRAIN)
        assert (-by_query, -by_row) == pytest.approx((scores[q, k],) * 2, rel=1e-7)


@pytest.mark.parametrize("normalize", ["example", "block", "relatif"])
def test_a_candidate_without_gradient_has_directions_of_zero(normalize):
    train = {name: tensor.clone() for name, tensor in TRAIN.items()}
    for tensor in train.values():
        tensor[4] = 0
    estimator, state = fitted("datainf", normalize=normalize)
    found = estimator.directions(state, InMemorySource(train), InMemorySource(QUERIES))
    assert not any(part[4].any() for part in found.of_candidates.values())
    assert {float(each[4]) for each in found.candidate_lengths.values()} == {1.0}


def test_groups_without_any_gradient_have_directions_of_zero():
    silent = without(CURVATURE, "score.bias")
    estimator, state = fitted("datainf", silent)
    found = estimator.precondition(state, InMemorySource(QUERIES))
    assert not found["score.bias"].any()
    assert found["h.1.q.lora_A.weight"].any()


def test_a_state_of_another_estimator_is_refused():
    _, state = fitted("datainf")
    with pytest.raises(OptionError, match="fit again"):
        build("dot").precondition(state, InMemorySource(QUERIES))
