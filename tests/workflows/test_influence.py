"""`influence` against the written formulas, and what it refuses."""

import re

import pytest
import torch

from datainf.core.errors import DatainfWarning, OptionError
from datainf.estimators.datainf import DataInf
from datainf.estimators.table import METHODS
from datainf.workflows.influence import influence
from tests.estimators.gradient_sets import (
    CONVERGED,
    GROUPING,
    GROUPS,
    N,
    Q,
    random_gradients,
)
from tests.reference import influence_by_inverse

# `cosine` scales in any case and refuses to be told not to.
CASES = [
    (method, normalize)
    for method in GROUPING
    if not METHODS[method].cls.needs_factors
    for normalize in ("none", "example", "block")
    if method != "cosine" or normalize == "example"
]


@pytest.mark.parametrize("blocks", GROUPS)
@pytest.mark.parametrize(("method", "normalize"), CASES)
def test_influence_equals_the_written_formula_by_explicit_inverse(
    method, normalize, blocks
):
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    damping = 3.0 if METHODS[method].cls.divides else None
    found = influence(
        train,
        queries,
        method=method,
        damping=damping,
        blocks=blocks,
        normalize=normalize,
        **CONVERGED.get(method, {}).get("options", {}),
    )
    expected = influence_by_inverse(
        method,
        train,
        queries,
        groups=GROUPS[blocks],
        damping=3.0,
        normalize=normalize,
    )
    assert found.dtype == torch.float64
    torch.testing.assert_close(
        found, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max())
    )


def test_the_default_is_datainf_with_the_papers_damping_by_tensor():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    expected = influence_by_inverse(
        "datainf", train, queries, groups=GROUPS["tensor"], damping=0.1
    )
    torch.testing.assert_close(influence(train, queries), expected, rtol=1e-9, atol=0)


def test_the_order_of_the_blocks_is_free():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    turned = dict(reversed(queries.items()))
    assert list(turned) != list(train)
    torch.testing.assert_close(
        influence(train, turned), influence(train, queries), rtol=0, atol=0
    )


def test_an_instance_is_taken_as_it_is():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    by_name = influence(train, queries, method="datainf", damping=2.0, blocks="all")
    by_value = influence(train, queries, method=DataInf(damping=2.0, blocks="all"))
    assert torch.equal(by_name, by_value)


def test_bfloat16_is_computed_in_float32():
    train, queries = (random_gradients(n, n, torch.bfloat16) for n in (N, Q))
    found = influence(train, queries)
    exact = influence_by_inverse("datainf", train, queries, groups=GROUPS["tensor"])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-5)


def test_autograd_does_not_follow():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    for tensor in (*train.values(), *queries.values()):
        tensor.requires_grad_()
    assert not influence(train, queries).requires_grad


def test_blocks_that_differ_are_named():
    train, queries = {"a": torch.ones(2, 3)}, {"b": torch.ones(2, 3)}
    message = (
        "train and queries must have the same blocks: queries lack ['a'], train lacks "
        "['b']."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        influence(train, queries)
    message = (
        "train and queries must have the same blocks: queries lack none, train lacks "
        "['b']."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        influence(train, train | queries)


def test_blocks_of_another_width_are_named():
    message = (
        "block a has 3 columns in train and 5 in queries; give gradients of the same "
        "tensor."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        influence({"a": torch.ones(2, 3)}, {"a": torch.ones(2, 5)})


def test_a_recursion_that_has_not_converged_is_told():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    with pytest.warns(DatainfWarning, match=r"^lissa: not converged: "):
        influence(train, queries, method="lissa", steps=2)


def test_plain_tensors_have_no_kronecker_factors():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    with pytest.raises(OptionError, match=r"^ekfac needs Kronecker factors, and the "):
        influence(train, queries, method="ekfac")
