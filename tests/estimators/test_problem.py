"""The arithmetic that is chosen, and groups whose λ does not fit it."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import DataError, NonFiniteError
from datainf.estimators.table import METHODS, build
from tests.estimators.gradient_sets import (
    FACTORS,
    GROUPING,
    GROUPS,
    N,
    Q,
    parts_of,
    random_gradients,
    scored,
    source_of,
    without,
)
from tests.reference import influence_by_inverse

ZERO = "h.0.q.lora_A.weight"
DIVIDING = [method for method in GROUPING if METHODS[method].cls.divides]


@pytest.mark.parametrize("method", GROUPING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_lower_precision_is_computed_in_float32(method, dtype):
    train, queries = (random_gradients(n, n, dtype) for n in (N, Q))
    options = {"steps": 3000, "tolerance": 1e-6} if method == "lissa" else None
    made = scored(method, train, queries, options=options, keep_blocks=True)
    assert made.values.dtype == parts_of(made).dtype == np.float32
    expected = influence_by_inverse(
        method, train, queries, groups=GROUPS["tensor"], factors=FACTORS
    )
    size = float(expected.abs().max())
    np.testing.assert_allclose(made.values, expected, rtol=0, atol=3e-5 * size)


@pytest.mark.parametrize("wide", [0, 1])
def test_float64_on_either_side_means_float64(wide):
    rows = [random_gradients(N, 1), random_gradients(Q, 2)]
    rows[1 - wide] = {name: each.float() for name, each in rows[1 - wide].items()}
    assert scored("datainf", *rows).values.dtype == np.float64


@pytest.mark.parametrize("method", DIVIDING)
def test_a_group_that_only_the_candidates_reach_is_refused(method):
    train = source_of(random_gradients(N, 1))
    curvature = source_of(without(random_gradients(N, 1), ZERO))
    estimator = build(method)
    message = (
        f"curvature group {ZERO} has only zero gradients (λ = 0) but the candidates' "
        f"gradients of {ZERO} are not zero, so their scores would be infinite; use "
        "curvature rows that reach this group."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        estimator.score(estimator.fit(curvature), train, train)


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
