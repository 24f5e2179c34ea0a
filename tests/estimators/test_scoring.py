"""The shared loop: dtypes, groups kept apart, zero gradients, extremes."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import NonFiniteError
from datainf.estimators.table import METHODS
from tests.estimators.gradient_sets import (
    GROUPING,
    GROUPS,
    SIZES,
    N,
    Q,
    parts_of,
    random_gradients,
    scored,
    without,
)

ZERO = "h.0.q.lora_A.weight"
DIVIDING = [method for method in GROUPING if METHODS[method].cls.divides]
# An Adam step on a row without gradient moves by the momentum alone.
OF_GRADIENTS = [name for name in METHODS if not METHODS[name].cls.needs_moments]
SOLVING = ["datainf", "exact", "cg", "lissa", "ekfac", "auto"]
TO_ROUNDING = {"exact", "cg", "auto"}  # whose sketch is exact for so few rows


@pytest.mark.parametrize("blocks", GROUPS)
@pytest.mark.parametrize("method", GROUPING)
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


@pytest.mark.parametrize("method", GROUPING)
def test_residuals_lie_between_0_and_1_or_there_is_none(method):
    made = scored(method)
    assert made.residual.shape == made.scale.shape == (Q, len(SIZES))
    if method not in SOLVING:
        assert np.isnan(made.residual).all()
        assert np.isnan(made.scale).all()
        return
    assert ((made.residual >= 0) & (made.residual <= 1)).all()
    assert (made.scale > 0).all()
    assert (made.residual.max() <= 1e-8) == (method in TO_ROUNDING)


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


@pytest.mark.parametrize("method", OF_GRADIENTS)
def test_gradients_that_are_all_zero_score_zero(method):
    train = without(random_gradients(N, 1), *SIZES)
    assert not scored(method, train).values.any()


@pytest.mark.parametrize("method", OF_GRADIENTS)
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


def test_scores_that_overflow_are_refused():
    message = (
        "score of query 0 and training example 0 is -inf; check the gradients with "
        "`datainf verify`."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        scored("dot", {"a": torch.full((7, 5), 1e30)}, {"a": torch.full((3, 5), 1e30)})
