"""Whose rows are they? Asked of layers whose output has no token dimension."""

import pytest
import torch
from torch import Tensor

from datainf.capture.rows import rows_are_examples, weighted


def losses_of(hidden: Tensor, order: list[int]) -> Tensor:
    """Losses in which example i reads row `order[i]` of the hidden values."""
    return (hidden[order] ** 2).sum(1)


def asked(losses: Tensor, outputs: list[Tensor]) -> list[bool]:
    """Ask of every output, as a pass does."""
    seen = weighted(losses, outputs)
    plain = torch.autograd.grad(losses.sum(), outputs, retain_graph=True)
    return [
        rows_are_examples(gradient, own)
        for gradient, own in zip(plain, seen, strict=True)
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 17, 300])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_in_the_order_of_the_examples_are_theirs(
    size: int, dtype: torch.dtype
) -> None:
    hidden = torch.randn(size, 5, dtype=dtype).requires_grad_(True)
    outputs = [hidden * 2, hidden * 3]
    losses = losses_of(outputs[0] + outputs[1], list(range(size)))
    assert asked(losses, outputs) == [True, True]


@pytest.mark.parametrize(("size", "left", "right"), [(2, 0, 1), (7, 2, 5), (40, 3, 19)])
def test_two_rows_that_are_swapped_are_seen(size: int, left: int, right: int) -> None:
    hidden = torch.randn(size, 5).requires_grad_(True)
    order = list(range(size))
    order[left], order[right] = right, left
    outputs = [hidden * 2]
    assert asked(losses_of(outputs[0], order), outputs) == [False]


@pytest.mark.parametrize("size", [1, 2, 5, 17])
def test_several_rows_of_an_example_lie_together(size: int) -> None:
    hidden = torch.randn(3 * size, 5).requires_grad_(True)
    output = hidden * 2
    rows = (output**2).sum(1)
    assert asked(rows.view(size, 3).sum(1), [output]) == [True]
    # By noise and not by example: row i is of example i % B.
    assert asked(rows.view(3, size).sum(0), [output]) == [size == 1]


def test_a_row_of_another_example_is_seen_beside_rows_of_nobody() -> None:
    hidden = torch.randn(3, 5).requires_grad_(True)
    outputs = [hidden * 2]
    # Row 0 is read by example 2, the others by no one.
    losses = torch.stack([hidden[0].sum(), hidden[1].sum(), outputs[0][0].sum()])
    assert asked(losses, outputs) == [False]


def test_an_output_that_no_loss_depends_on_is_fine() -> None:
    hidden = torch.randn(3, 5).requires_grad_(True)
    assert weighted((hidden**2).sum(1), [hidden * 2]) == [[]]
    assert weighted((hidden**2).sum(1), []) == []


@pytest.mark.parametrize(("size", "passes"), [(1, 0), (2, 1), (16, 1), (17, 2)])
def test_a_backward_pass_is_needed_for_every_factor_of_sixteen(
    size: int, passes: int
) -> None:
    hidden = torch.randn(size, 5).requires_grad_(True)
    assert len(weighted((hidden**2).sum(1), [hidden])[0]) == passes


def test_the_graph_is_kept() -> None:
    hidden = torch.randn(3, 5).requires_grad_(True)
    output = hidden * 2
    losses = losses_of(output, [0, 1, 2])
    weighted(losses, [output])
    losses.sum().backward()
    assert hidden.grad is not None
