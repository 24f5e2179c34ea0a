"""Sums over tokens, and the factors that they give."""

import inspect
import re
from typing import NamedTuple

import pytest
import torch

from datainf.core.errors import OptionError
from datainf.core.factors import (
    BlockSums,
    FactoredSource,
    Factors,
    FactorSums,
    means,
    require_factors,
)
from datainf.store.memory import InMemorySource


def sums(seed: int, tokens: int = 5) -> BlockSums:
    chance = torch.Generator().manual_seed(seed)
    x, g = (torch.randn(tokens, d, generator=chance).double() for d in (3, 2))
    return BlockSums(x.T @ x, g.T @ g, tokens)


def test_sums_add_up_and_means_divide_by_all_tokens():
    total = FactorSums()
    total.add({"a": sums(1)})
    total.add({"a": sums(2, 7)})
    found = total.factors("a")
    assert found.inputs is not None
    torch.testing.assert_close(found.inputs, (sums(1).inputs + sums(2, 7).inputs) / 12)
    assert total.bytes == 8 * (9 + 4)


def test_means_are_symmetric_to_the_bit():
    lopsided = BlockSums(torch.tensor([[1.0, 0.25], [0.5, 1.0]]), torch.eye(2), 3)
    found = means(lopsided).inputs
    assert found is not None
    assert torch.equal(found, found.T)


def test_a_block_without_factors_says_why():
    total = FactorSums({"bias": "it is a vector"})
    total.add({"bias": sums(1), "a": sums(1)})
    assert total.factors("bias").reason == "it is a vector"
    total.leave_out({"a": "it was lost", "bias": "another reason"})
    total.add({"a": sums(2)})
    assert total.factors("a").inputs is None
    assert total.factors("a").reason == "it was lost"
    assert total.factors("bias").reason == "it is a vector"
    assert total.factors("b").reason == "none of its tokens has a gradient"


def test_a_copy_on_the_cpu_holds_the_same():
    total = FactorSums({"bias": "it is a vector"})
    total.add({"a": sums(1)})
    copy = total.to_cpu()
    assert copy.missing == total.missing
    assert copy.blocks["a"].tokens == 5


def test_sources_that_know_factors_are_recognised():
    assert isinstance(InMemorySource({"a": torch.ones(2, 3)}), FactoredSource)


EYE = torch.eye(3)


class Wrong(NamedTuple):
    """Factors whose types would be refused in the tests alone."""

    inputs: torch.Tensor
    outputs: torch.Tensor


@pytest.mark.parametrize(
    ("factors", "shape", "message"),
    [
        (Factors(EYE), (2, 3), "outputs is missing"),
        (Wrong(EYE, torch.ones(2, 3)), (2, 3), "outputs is of shape [2, 3] and must"),
        (Factors(torch.eye(2), EYE), (2, 3), "outputs has side 3 and the block 2"),
        (Factors(EYE * torch.nan, torch.eye(2)), (2, 3), "inputs is NaN or infinite"),
        (Factors(torch.ones(3, 3).triu(), EYE), (9,), "inputs is not symmetric"),
    ],
)
def test_factors_that_cannot_be_a_blocks_are_refused(factors, shape, message):
    with pytest.raises(OptionError, match=f"^factors of block a: {re.escape(message)}"):
        inspect.unwrap(require_factors)("a", factors, shape)


def test_a_block_may_have_none():
    require_factors("a", Factors(reason="it is a vector"), (3,))
