"""Losses of labelled positions against the sum written out."""

import pytest
import torch

from datainf.core.options import Reduction
from datainf.core.task import TokenLosses
from datainf.integrations.tasks.token_losses import (
    label_losses,
    one_later,
    per_example,
    weighted_losses,
)


@pytest.mark.parametrize("reduction", list(Reduction))
def test_losses_are_the_formula(reduction):
    torch.manual_seed(0)
    logits = torch.randn(3, 7, 11, dtype=torch.float64)
    labels = torch.randint(0, 11, (3, 7))
    labels[0, :4] = -100
    labels[1, 5:] = -100
    labels[2, 3] = -100
    wanted = []
    for scores, row in zip(logits, labels, strict=True):
        terms = [-scores[t].log_softmax(0)[row[t]] for t in range(7) if row[t] != -100]
        total = torch.stack(terms).sum()
        wanted.append(total if reduction is Reduction.SUM else total / len(terms))
    torch.testing.assert_close(
        label_losses(logits, labels, reduction),
        torch.stack(wanted),
        rtol=1e-13,
        atol=0,
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_losses_have_at_least_single_precision(given, wanted):
    logits = torch.zeros(2, 3, 5, dtype=given)
    assert label_losses(logits, torch.ones(2, 3, dtype=torch.long)).dtype == wanted


def test_gradients_flow_to_labelled_positions_only():
    logits = torch.zeros(1, 5, 3, requires_grad=True)
    labels = torch.tensor([[-100, -100, 1, -100, 2]])
    label_losses(logits, labels).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum(dim=2)[0].bool().tolist() == [0, 0, 1, 0, 1]


def test_numbers_are_put_back_into_their_examples():
    kept = torch.tensor([[True, False, True], [False, True, False]])
    numbers = torch.tensor([1.0, 2.0, 5.0])
    assert per_example(numbers, kept, "sum").tolist() == [3.0, 5.0]
    assert per_example(numbers, kept, "mean").tolist() == [1.5, 5.0]


@pytest.mark.parametrize("reduction", list(Reduction))
def test_weighted_losses_sum_to_the_loss_and_stand_at_their_tokens(reduction):
    torch.manual_seed(1)
    logits = torch.randn(2, 5, 3, dtype=torch.float64)
    labels = torch.tensor([[-100, 0, 1, -100, 2], [-100, 1, -100, -100, -100]])
    losses, weights = weighted_losses(logits, labels, reduction)
    assert losses.shape == weights.shape == labels.shape
    assert torch.equal(weights > 0, labels != -100)
    assert torch.equal(losses != 0, labels != -100)
    torch.testing.assert_close(
        (losses * weights).sum(dim=1),
        label_losses(logits, labels, reduction),
        rtol=1e-14,
        atol=0,
    )


def test_what_is_said_of_the_next_token_is_put_at_that_token():
    found = one_later(TokenLosses(torch.tensor([[3.0, 5.0]]), torch.ones(1, 2)))
    assert found.losses.tolist() == [[0.0, 3.0, 5.0]]
    assert found.weights.tolist() == [[0.0, 1.0, 1.0]]
