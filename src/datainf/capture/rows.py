"""Do the rows of a layer's output belong to the examples, in their order?

A layer that is called with `[n, d]` may hold one row an example (a classification head)
or the tokens that a router sent to it (an expert), and n may be B by accident; so it
may be a multiple of B where a task shows several rows of an example at once. Asked of
every batch, because it depends on the data: the losses are weighted by powers of two,
example by example, and each row's gradient must scale with its own example's weight.
Exact weights, so rounding plays no part. Cost: two backward passes from the losses to
those layers alone, one more for every further factor of 16 in B.

B examples, d width.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

_BASE = 16
# Between 0, for a row's own example, and 1/2, for any other.
_NEAR = 0.25


def rows_are_examples(
    losses: Float[Tensor, " B"], outputs: Sequence[Float[Tensor, "_ ..."]]
) -> list[bool]:
    """Ask of every output whether its rows are the examples, in their order.

    Args:
        losses: With their graph, which is kept.
        outputs: Outputs of layers on the way to the losses, first dimension R · B: R
            rows of the first example, R of the next.

    Returns:
        One answer an output.
    """
    if not outputs:
        return []
    once = _gradients(losses, outputs, torch.ones_like(losses))
    good = [True] * len(outputs)
    number = torch.arange(len(losses), device=losses.device)
    while bool(number.any()):
        weights = (2.0 ** (number % _BASE)).to(losses.dtype)
        for i, (found, plain) in enumerate(
            zip(_gradients(losses, outputs, weights), once, strict=True)
        ):
            if found is not None and plain is not None:
                own = weights.repeat_interleave(len(found) // len(losses))
                scaled = own.to(found.dtype).unsqueeze(1)
                expected = plain.flatten(1) * scaled
                error = (found.flatten(1) - expected).norm(dim=1)
                # `<` alone would fail rows without any gradient, which are nobody's.
                good[i] &= bool((error <= _NEAR * expected.norm(dim=1)).all())
        number = number // _BASE
    return good


def _gradients(
    losses: Tensor, outputs: Sequence[Tensor], weights: Tensor
) -> tuple[Tensor | None, ...]:
    return torch.autograd.grad(
        losses, outputs, weights, retain_graph=True, allow_unused=True
    )
