"""Next-token losses against the sum written out."""

import pytest
import torch

from datainf.core.options import Reduction
from datainf.integrations.tasks.token_losses import (
    label_losses,
    next_token_losses,
    token_losses,
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
        terms = [
            -scores[t].log_softmax(0)[row[t + 1]]
            for t in range(6)
            if row[t + 1] != -100
        ]
        total = torch.stack(terms).sum()
        wanted.append(total if reduction is Reduction.SUM else total / len(terms))
    torch.testing.assert_close(
        token_losses(logits, labels, reduction),
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
    assert token_losses(logits, torch.ones(2, 3, dtype=torch.long)).dtype == wanted


def test_gradients_flow_to_predicting_positions_only():
    logits = torch.zeros(1, 5, 3, requires_grad=True)
    labels = torch.tensor([[-100, -100, 1, -100, 2]])
    token_losses(logits, labels).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum(dim=2)[0].bool().tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("reduction", list(Reduction))
@pytest.mark.parametrize(
    ("reduced", "by_token"),
    [(label_losses, weighted_losses), (token_losses, next_token_losses)],
)
def test_weighted_losses_sum_to_the_loss_and_stand_at_their_tokens(
    reduced, by_token, reduction
):
    torch.manual_seed(1)
    logits = torch.randn(2, 5, 3, dtype=torch.float64)
    labels = torch.tensor([[-100, 0, 1, -100, 2], [-100, 1, -100, -100, -100]])
    losses, weights = by_token(logits, labels, reduction)
    assert losses.shape == weights.shape == labels.shape
    assert torch.equal(weights > 0, labels != -100)
    assert torch.equal(losses != 0, labels != -100)
    torch.testing.assert_close(
        (losses * weights).sum(dim=1),
        reduced(logits, labels, reduction),
        rtol=1e-14,
        atol=0,
    )
