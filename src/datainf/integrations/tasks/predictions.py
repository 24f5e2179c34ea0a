"""Predictions: what a model says about the labels of a batch, as a distribution.

A task's method `predictions(model, batch)` gives one of these; with z the logits or the
mean, y the labels and m the terms that a loss averages over,

                 p(ŷ)                     loss                 margin of a term
    Categorical  softmax(z)               mean of -log p(y)    z_y - logsumexp(others)
    Bernoulli    σ(z_c) for each class    mean of -log p(y_c)  (2 y_c - 1) z_c
    Gaussian     normal, mean z, var. ½   (z - y)²             none

Each p is ∝ exp(-m loss), so that with ŷ ~ p the gradient of √m loss(ŷ) has as its
second moment the generalized Gauss-Newton matrix of the loss itself, Jᵀ H J with H the
loss's second derivative in z: terms are independent, so E[ĝ ĝᵀ] = m m⁻² Σ J_tᵀ F_t J_t.
For (z - y)², H = 2 and ∂/∂z = -2 (ŷ - z), whose variance is 2 where that of ŷ is ½. A
margin is log(p / (1 - p)) of the right label, the output of TRAK (Park et al., ICML
2023, arXiv:2303.14186).

B examples, T tokens of the longest, V words or classes, C classes.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from datainf.core.errors import OptionError
from datainf.core.options import Reduction
from datainf.core.task import Batch, TokenLosses
from datainf.integrations.tasks.token_losses import (
    label_losses,
    per_example,
    weighted_losses,
)
from datainf.integrations.tasks.tokens import IGNORED, at_least_float32


@runtime_checkable
class Predictions(Protocol):
    """The model's distribution over the labels of a batch."""

    def losses(self) -> Float[Tensor, " B"]:
        """Give the loss of every example at its labels."""
        ...

    def margins(self) -> Float[Tensor, " B"]:
        """Give every example's margin, the mean over its terms."""
        ...

    def terms(self) -> Float[Tensor, " B"]:
        """Count the terms m that every example's loss averages over; 1 for a sum."""
        ...

    def drawn(self, rng: np.random.Generator) -> Tensor:
        """Draw labels for the first example, in the order of its own: `[n]`."""
        ...

    def at(self, labels: Tensor) -> "Predictions":
        """Give the same distribution at other labels, a row an example: `[B, n]`.

        Rows are filled up with -100.
        """
        ...


@runtime_checkable
class Predictive(Protocol):
    """A task that says what the model predicts, and so has every `output`."""

    def predictions(self, model: nn.Module, batch: Batch) -> Predictions:
        """Run the model on what `collate` made."""
        ...


@dataclass(frozen=True)
class Categorical:
    """One of V for each labelled position.

    Attributes:
        logits: The logits at t predict the label at t.
        labels: Words or classes, -100 where none is learned.
        reduction: How an example's losses become one.
    """

    logits: Float[Tensor, "B T V"]
    labels: Int[Tensor, "B T"]
    reduction: Reduction | str = Reduction.MEAN

    @classmethod
    def of_examples(
        cls, logits: Float[Tensor, "B V"], labels: Int[Tensor, " B"]
    ) -> "Categorical":
        """Take one label an example."""
        return cls(logits[:, None], labels[:, None])

    def losses(self) -> Float[Tensor, " B"]:
        """Reduce -log softmax(z)[y] over an example's labelled positions."""
        return label_losses(self.logits, self.labels, self.reduction)

    def by_token(self) -> TokenLosses:
        """Give every position's loss with its weight in the example's."""
        return weighted_losses(self.logits, self.labels, self.reduction)

    def margins(self) -> Float[Tensor, " B"]:
        """Average z_y - logsumexp(z of all others) over the labelled positions.

        Returns:
            One margin an example.

        Raises:
            OptionError: If the task sums its losses.
        """
        if self.reduction == Reduction.SUM:
            raise OptionError(
                "output='margin' is a mean over an example's label tokens and the task "
                "has reduction='sum'; give the task reduction='mean'."
            )
        kept = self.labels != IGNORED
        z, y = at_least_float32(self.logits[kept]), self.labels[kept][:, None]
        others = z.scatter(1, y, -math.inf).logsumexp(dim=1)
        return per_example(z.gather(1, y)[:, 0] - others, kept, Reduction.MEAN)

    def terms(self) -> Float[Tensor, " B"]:
        """Count the labelled positions, where the loss is their mean."""
        count = (self.labels != IGNORED).sum(dim=1).to(torch.float64)
        return torch.ones_like(count) if self.reduction == Reduction.SUM else count

    def drawn(self, rng: np.random.Generator) -> Int[Tensor, " n"]:
        """Draw by the inverse of the distribution function, a number a position."""
        kept = self.labels[0] != IGNORED
        rows = self.logits[0][kept].double().softmax(dim=1).cumsum(dim=1)
        numbers = torch.from_numpy(rng.random((len(rows), 1))).to(rows.device)
        places = torch.searchsorted(rows, numbers * rows[:, -1:], right=True)[:, 0]
        return places.clamp(max=rows.shape[1] - 1)

    def at(self, labels: Int[Tensor, "B n"]) -> "Categorical":
        """Put labels at the labelled positions."""
        kept = self.labels != IGNORED
        moved = self.labels.masked_scatter(kept, labels[labels != IGNORED])
        return replace(self, labels=moved)


@dataclass(frozen=True)
class Bernoulli:
    """Yes or no for each of C classes.

    Attributes:
        logits: Of yes.
        labels: 0 or 1.
    """

    logits: Float[Tensor, "B C"]
    labels: Float[Tensor, "B C"]

    def losses(self) -> Float[Tensor, " B"]:
        """Average the binary cross entropies over the classes."""
        z = at_least_float32(self.logits)
        return nn.functional.binary_cross_entropy_with_logits(
            z, self.labels.to(z.dtype), reduction="none"
        ).mean(dim=1)

    def margins(self) -> Float[Tensor, " B"]:
        """Average (2 y - 1) z over the classes."""
        z = at_least_float32(self.logits)
        return ((2 * self.labels.to(z.dtype) - 1) * z).mean(dim=1)

    def terms(self) -> Float[Tensor, " B"]:
        """Count the classes."""
        return torch.full_like(self.logits[:, 0], self.logits.shape[1]).double()

    def drawn(self, rng: np.random.Generator) -> Float[Tensor, " C"]:
        """Draw every class by itself."""
        p = self.logits[0].double().sigmoid()
        return (torch.from_numpy(rng.random(len(p))).to(p.device) < p).float()

    def at(self, labels: Float[Tensor, "B C"]) -> "Bernoulli":
        """Take other marks."""
        return replace(self, labels=labels)


@dataclass(frozen=True)
class Gaussian:
    """A real number, whose squared error is the loss.

    Attributes:
        means: What the model predicts.
        labels: What is there.
    """

    means: Float[Tensor, " B"]
    labels: Float[Tensor, " B"]

    def losses(self) -> Float[Tensor, " B"]:
        """Square the errors."""
        z = at_least_float32(self.means)
        return (z - self.labels.to(z.dtype)).square()

    def margins(self) -> Float[Tensor, " B"]:
        """Refuse: a number is never right with a probability.

        Raises:
            OptionError: Always.
        """
        raise OptionError(
            "output='margin' is log(p / (1 - p)) of the right label, and a regression "
            "gives no label a probability; use output='loss'."
        )

    def terms(self) -> Float[Tensor, " B"]:
        """Count one term an example."""
        return torch.ones_like(self.means).double()

    def drawn(self, rng: np.random.Generator) -> Float[Tensor, " 1"]:
        """Draw with variance ½: exp(-(z - ŷ)²) is that normal distribution."""
        noise = torch.from_numpy(rng.standard_normal(1)).to(self.means.device)
        return self.means[:1].double() + noise * math.sqrt(0.5)

    def at(self, labels: Float[Tensor, "B 1"]) -> "Gaussian":
        """Take other numbers."""
        return replace(self, labels=labels[:, 0])
