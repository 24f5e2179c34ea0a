"""Distributions over labels: their losses, margins and draws against sums by hand.

Everything in float64; B examples, T tokens, V words, C classes as distinct primes.
"""

import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian

from datainf.core.errors import OptionError
from datainf.integrations.tasks.predictions import (
    Bernoulli,
    Categorical,
    Gaussian,
    Predictions,
)

T, V, C = 3, 5, 4
LABELS = torch.tensor([[2, -100, 4]])
MARKS = torch.tensor([[1.0, 0.0, 0.0, 1.0]])


def gaussian_numbers(*shape: int, seed: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=chance, dtype=torch.float64)


def tokens(z: Tensor, reduction: str = "mean") -> Categorical:
    return Categorical(z.view(1, T, V), LABELS, reduction)


def outcomes(kind: str, z: Tensor) -> list[tuple[float, Tensor]]:
    """Every label with its probability, written out; two points stand for a normal."""
    if kind == "number":
        # Of equal mean and variance ½: a second moment of degree two is the same.
        return [(0.5, z[None] + s * math.sqrt(0.5)) for s in (-1, 1)]
    if kind == "marks":
        p = 1 / (1 + (-z).exp())
        return [
            (
                math.prod(float(q if y else 1 - q) for q, y in zip(p, ys, strict=True)),
                torch.tensor([ys], dtype=torch.float64),
            )
            for ys in itertools.product((0, 1), repeat=C)
        ]
    p = z.view(T, V).exp() / z.view(T, V).exp().sum(dim=1, keepdim=True)
    return [
        (float(p[0, a] * p[2, b]), torch.tensor([[a, b]]))
        for a, b in itertools.product(range(V), repeat=2)
    ]


KINDS: dict[str, tuple[int, Any]] = {
    "tokens, mean": (T * V, tokens),
    "tokens, sum": (T * V, lambda z: tokens(z, "sum")),
    "marks": (C, lambda z: Bernoulli(z[None], MARKS)),
    "number": (1, lambda z: Gaussian(z, torch.tensor([0.3]))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_at_drawn_labels_have_the_losses_hessian_as_second_moment(kind):
    """The sum over every label with its probability: no chance is left in it."""
    size, make = KINDS[kind]
    z = gaussian_numbers(size)
    moment, total = torch.zeros(size, size, dtype=torch.float64), 0.0
    for probability, labels in outcomes(kind, z):
        leaf = z.clone().requires_grad_(True)
        at = make(leaf).at(labels)
        (at.terms().sqrt() * at.losses()).sum().backward()
        assert leaf.grad is not None
        moment += probability * torch.outer(leaf.grad, leaf.grad)
        total += probability
    assert total == pytest.approx(1)
    wanted = hessian(lambda z: make(z).losses().sum(), z)
    torch.testing.assert_close(moment, wanted, rtol=1e-10, atol=1e-13)


class Ladder(np.random.Generator):
    """In place of chance, one step of an even ladder from 0 to 1 for every draw."""

    def __init__(self, at: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._at = at

    def random(self, size: Any = None) -> Any:  # type: ignore[override]
        return np.full(size, self._at)


@pytest.mark.parametrize("kind", ["tokens, mean", "marks"])
def test_labels_are_drawn_as_often_as_the_model_says(kind):
    size, make = KINDS[kind]
    found = make(gaussian_numbers(size))
    steps = 2000
    draws = [found.drawn(Ladder((i + 0.5) / steps)) for i in range(steps)]
    if kind == "marks":
        shares = torch.stack(draws).double().mean(dim=0)
        wanted = gaussian_numbers(size).sigmoid()
    else:
        first = torch.stack(draws)[:, 0]
        shares = torch.nn.functional.one_hot(first, V).double().mean(dim=0)
        wanted = gaussian_numbers(size).view(T, V).softmax(dim=1)[0]
    torch.testing.assert_close(shares, wanted, rtol=0, atol=1.5 / steps)


def test_a_number_is_drawn_with_variance_one_half_around_its_mean():
    found = Gaussian(torch.tensor([7.0, 1.0]), torch.zeros(2))
    rng = np.random.default_rng(0)
    draws = torch.cat([found.drawn(rng) for _ in range(4000)])
    assert float(draws.mean()) == pytest.approx(7, abs=0.05)
    assert float(draws.var()) == pytest.approx(0.5, rel=0.1)


def test_a_word_of_no_probability_is_never_drawn():
    z = torch.tensor([[[-math.inf, 0.0, -math.inf, 0.0, -math.inf]]])
    found = Categorical(z, torch.tensor([[1]]))
    drawn = {int(found.drawn(Ladder(at))) for at in (0.0, 0.4999, 0.5, 1 - 2**-53)}
    assert drawn == {1, 3}


@pytest.mark.parametrize("padded", ["left", "right"])
def test_labels_are_put_where_there_are_labels(padded):
    none = -100
    rows = [[none, 1, none, 2, 3], [none, none, none, none, 4]]
    if padded == "right":
        rows = [row[::-1] for row in rows]
    found = Categorical(torch.zeros(2, 5, 7), torch.tensor(rows))
    at = found.at(torch.tensor([[5, 6, 0], [2, none, none]]))
    wanted = [[none, 5, none, 6, 0], [none, none, none, none, 2]]
    if padded == "right":
        wanted = [[5, 6, none, 0, none], [2, none, none, none, none]]
    assert at.labels.tolist() == wanted


def test_margins_are_the_log_odds_of_the_labels_and_so_are_their_gradients():
    z = gaussian_numbers(2, T, V).requires_grad_(True)
    labels = torch.tensor([[2, -100, 4], [-100, -100, 1]])
    found = Categorical(z, labels).margins()
    rows = []
    for scores, row in zip(z, labels, strict=True):
        odds = []
        for at, label in zip(scores, row, strict=True):
            if label != -100:
                p = at.exp()[label] / at.exp().sum()
                odds.append((p / (1 - p)).log())
        rows.append(torch.stack(odds).mean())
    wanted = torch.stack(rows)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
    weights = gaussian_numbers(2, seed=1)
    mine, theirs = (
        torch.autograd.grad((weights * f).sum(), z)[0] for f in (found, wanted)
    )
    torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-14)


def test_a_margin_says_how_far_the_loss_is_from_nothing():
    """dL/df = -(1 - p) = -σ(-f), for one label: the weight of TRAK."""
    z = gaussian_numbers(3, V)
    found = Categorical.of_examples(z, torch.tensor([0, 4, 2]))
    torch.testing.assert_close(
        (-found.margins()).sigmoid(), 1 - (-found.losses()).exp(), rtol=1e-12, atol=0
    )


def test_the_margin_of_marks_is_the_mean_of_their_log_odds():
    z = gaussian_numbers(1, C)
    p = z.sigmoid()
    right = torch.where(MARKS.bool(), p, 1 - p)
    wanted = (right / (1 - right)).log().mean(dim=1)
    found = Bernoulli(z, MARKS).margins()
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)


def test_margins_stay_finite_where_a_probability_rounds_to_one():
    z = torch.tensor([[60.0, 0.0, -60.0]])
    found = Categorical.of_examples(z, torch.tensor([0])).margins()
    assert float(found) == pytest.approx(60)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            Categorical(torch.zeros(1, T, V), LABELS, "sum"),
            "output='margin' is a mean over an example's label tokens and the task has "
            "reduction='sum'; give the task reduction='mean'.",
        ),
        (
            Gaussian(torch.zeros(1), torch.zeros(1)),
            "output='margin' is log(p / (1 - p)) of the right label, and a regression "
            "gives no label a probability; use output='loss'.",
        ),
    ],
)
def test_what_has_no_margin_is_refused(found: Predictions, message: str):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        found.margins()


@pytest.mark.parametrize("kind", KINDS)
def test_terms_are_what_the_loss_averages_over(kind):
    size, make = KINDS[kind]
    wanted = {"tokens, mean": 2, "tokens, sum": 1, "marks": C, "number": 1}
    assert make(gaussian_numbers(size)).terms().tolist() == [wanted[kind]]


@pytest.mark.parametrize("given", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_draws_take_every_number_format(kind, given):
    size, make = KINDS[kind]
    found = make(gaussian_numbers(size).to(given))
    wanted = torch.promote_types(given, torch.float32)
    assert found.losses().dtype == wanted
    drawn = found.drawn(np.random.default_rng(0))
    assert found.at(drawn[None]).losses().dtype == wanted
