"""Do the rows of a layer's output belong to the examples, in their order?

A layer that is called with `[n, d]` may hold one row an example (a classification head)
or the tokens that a router sent to it (an expert), and n may be B by accident; so it
may be a multiple of B where a task shows several rows of an example at once. Asked of
every batch, because it depends on the data: the losses are weighted by powers of two,
example by example, and each row's gradient must scale with its own example's weight.
Exact weights, so rounding plays no part. Cost: a backward pass from the losses to those
layers alone, one more for every further factor of 16 in B; none for one example.

B examples, R rows of each, d width.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

_BASE = 16
# Between 0, for a row's own example, and 1/2, for any other.
_NEAR = 0.25


Weighted = tuple[Tensor, Tensor]
"""Weights of the losses `[B]`, and an output's gradient under them."""


def weighted(
    losses: Float[Tensor, " B"], outputs: Sequence[Float[Tensor, "_ ..."]]
) -> list[list[Weighted]]:
    """Differentiate the losses, weighted so that each example can be told apart.

    Args:
        losses: With their graph, which is kept.
        outputs: Outputs of layers on the way to the losses.

    Returns:
        For each output, its gradient under some weights, which together number the
        examples; nothing where no loss depends on it, or of a single example.
    """
    found: list[list[Weighted]] = [[] for _ in outputs]
    number = torch.arange(len(losses), device=losses.device)
    while outputs and bool(number.any()):
        # About 1, so that half precision has room for both ends.
        weights = (2.0 ** (number % _BASE - _BASE // 2)).to(losses.dtype)
        gradients = torch.autograd.grad(
            losses, outputs, weights, retain_graph=True, allow_unused=True
        )
        for own, gradient in zip(found, gradients, strict=True):
            if gradient is not None:
                own.append((weights, gradient))
        number = number // _BASE
    return found


def rows_are_examples(plain: Float[Tensor, "_ ..."], seen: Sequence[Weighted]) -> bool:
    """Tell whether an output's rows are the examples', in their order.

    Args:
        plain: The output's gradient without weights, R · B rows: R of the first
            example, R of the next.
        seen: What `weighted` gave for the output.

    Returns:
        Whether each row's gradient scales with its own example's weight alone.
    """
    for weights, gradient in seen:
        own = weights.repeat_interleave(len(plain) // len(weights))
        expected = plain.flatten(1) * own.to(plain.dtype).unsqueeze(1)
        error = (gradient.flatten(1) - expected).norm(dim=1)
        # `<` alone would fail rows without any gradient, which are nobody's.
        if not bool((error <= _NEAR * expected.norm(dim=1)).all()):
            return False
    return True
