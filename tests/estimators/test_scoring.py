"""The shared loop: dtypes, groups kept apart, zero gradients, extremes."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import DataError, NonFiniteError
from datainf.estimators.table import METHODS, build
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    GROUPS,
    SIZES,
    N,
    Q,
    parts_of,
    random_gradients,
    scored,
)
from tests.reference import influence_by_inverse

ZERO = "h.0.q.lora_A.weight"
DIVIDING = [method for method in METHODS if METHODS[method].cls.divides]
SOLVING = ["datainf", "exact", "lissa"]


def without(gradients, *names):
    return {
        name: torch.zeros_like(tensor) if name in names else tensor
        for name, tensor in gradients.items()
    }


@pytest.mark.parametrize("blocks", GROUPS)
@pytest.mark.parametrize("method", METHODS)
def test_kept_blocks_add_up_to_the_scores(method, blocks):
    made = scored(method, blocks=blocks, keep_blocks=True)
    parts = parts_of(made)
    assert parts.shape == (len(GROUPS[blocks]), Q, N)
    np.testing.assert_allclose(parts.sum(axis=0), made.values)
    one = random_gradients(N, 1)
    first = GROUPS[blocks][0]
    others = [name for name in SIZES if name not in first]
    if method != "cosine":  # whose lengths are over all blocks
        alone = parts_of(
            scored(method, without(one, *others), blocks=blocks, keep_blocks=True)
        )
        np.testing.assert_allclose(parts[0], alone[0], rtol=1e-9)
        assert not alone[1:].any()


@pytest.mark.parametrize("method", METHODS)
def test_residuals_lie_between_0_and_1_or_there_is_none(method):
    made = scored(method)
    assert made.residual.shape == made.scale.shape == (Q, len(SIZES))
    if method not in SOLVING:
        assert np.isnan(made.residual).all()
        assert np.isnan(made.scale).all()
        return
    assert ((made.residual >= 0) & (made.residual <= 1)).all()
    assert (made.scale > 0).all()
    assert (made.residual.max() <= 1e-8) == (method == "exact")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_lower_precision_is_computed_in_float32(method, dtype):
    train, queries = (random_gradients(n, n, dtype) for n in (N, Q))
    options = {"steps": 3000, "tolerance": 1e-6} if method == "lissa" else None
    made = scored(method, train, queries, options=options, keep_blocks=True)
    assert made.values.dtype == parts_of(made).dtype == np.float32
    expected = influence_by_inverse(method, train, queries, groups=GROUPS["tensor"])
    size = float(expected.abs().max())
    np.testing.assert_allclose(made.values, expected, rtol=0, atol=3e-5 * size)


@pytest.mark.parametrize("wide", [0, 1])
def test_float64_on_either_side_means_float64(wide):
    rows = [random_gradients(N, 1), random_gradients(Q, 2)]
    rows[1 - wide] = {name: each.float() for name, each in rows[1 - wide].items()}
    assert scored("datainf", *rows).values.dtype == np.float64


@pytest.mark.parametrize("method", DIVIDING)
def test_a_group_without_gradients_contributes_exactly_zero(method):
    train = without(random_gradients(N, 1), ZERO)
    made = scored(method, train, keep_blocks=True)
    assert not parts_of(made)[0].any()
    assert np.isnan(made.residual[:, 0]).all()
    assert made.provenance.notes[0] == (
        f"1 of 5 curvature groups have only zero gradients and contribute 0: {ZERO}."
    )
    rest = scored(method, keep_blocks=True)
    np.testing.assert_allclose(parts_of(made)[1:], parts_of(rest)[1:], rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_that_are_all_zero_score_zero(method):
    train = without(random_gradients(N, 1), *SIZES)
    assert not scored(method, train).values.any()


@pytest.mark.parametrize("method", DIVIDING)
def test_a_group_that_only_the_candidates_reach_is_refused(method):
    train = InMemorySource(random_gradients(N, 1))
    curvature = InMemorySource(without(random_gradients(N, 1), ZERO))
    estimator = build(method)
    message = (
        f"curvature group {ZERO} has only zero gradients (λ = 0) but the candidates' "
        f"gradients of {ZERO} are not zero, so their scores would be infinite; use "
        "curvature rows that reach this group."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        estimator.score(estimator.fit(curvature), train, train)


@pytest.mark.parametrize("method", METHODS)
def test_training_rows_of_length_zero_stay_zero_and_are_counted(method):
    train = random_gradients(N, 1)
    for tensor in train.values():
        tensor[[2, 5]] = 0
    made = scored(method, train, normalize="example")
    assert not made.values[:, [2, 5]].any()
    assert made.values[:, [0, 1, 3, 4, 6]].all()
    assert made.provenance.notes[0] == (
        "2 of 7 training gradients have length zero and stay zero; their scores are 0."
    )


@pytest.mark.parametrize("method", DIVIDING)
def test_a_lambda_that_float32_cannot_hold_is_refused(method):
    train = {"a": torch.full((7, 5), 1e-17)}
    message = (
        "λ = 1e-35 of curvature group a is lost in torch.float32; raise damping, or "
        "give the queries' gradients in float64."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        scored(method, train, {"a": torch.ones(3, 5)})
    wide = scored(method, train, {"a": torch.ones(3, 5, dtype=torch.float64)})
    assert (wide.values < 0).all()


@pytest.mark.parametrize("method", DIVIDING)
def test_a_lambda_beyond_float32_is_refused(method):
    train = {"a": torch.full((7, 5), 1e20)}
    message = (
        "λ = 1e+39 of curvature group a is too large for torch.float32; lower damping, "
        "or give the queries' gradients in float64."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        scored(method, train, {"a": torch.ones(3, 5)})


def test_scores_that_overflow_are_refused():
    message = (
        "score of query 0 and training example 0 is -inf; check the gradients with "
        "`datainf verify`."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        scored("dot", {"a": torch.full((7, 5), 1e30)}, {"a": torch.full((3, 5), 1e30)})
