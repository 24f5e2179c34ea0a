"""Cross entropies of a batch's tokens, reduced to one number an example.

    mean (or sum), over the t with y[t] != -100, of  -log softmax(logits[t])[y[t]]

`token_losses` is the same with the logits one place earlier, as language models
predict. B examples, T tokens of the longest, V words or classes, y the labels. Memory
beyond the logits: one float32 row of V for each label token.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from datainf.core.options import Reduction
from datainf.integrations.tasks.tokens import IGNORED, at_least_float32


def token_losses(
    logits: Float[Tensor, "B T V"],
    labels: Int[Tensor, "B T"],
    reduction: Reduction | str = Reduction.MEAN,
) -> Float[Tensor, " B"]:
    """Reduce next-token cross entropies to one number an example.

    Args:
        logits: The logits at t predict the token at t + 1.
        labels: Tokens, -100 where none is learned; the first is never predicted.
        reduction: `mean` over an example's label tokens, or their `sum`.

    Returns:
        One loss an example.
    """
    return label_losses(logits[:, :-1], labels[:, 1:], reduction)


def label_losses(
    logits: Float[Tensor, "B T V"],
    labels: Int[Tensor, "B T"],
    reduction: Reduction | str = Reduction.MEAN,
) -> Float[Tensor, " B"]:
    """Reduce the cross entropies of labelled positions to one number an example.

    Args:
        logits: The logits at t predict the label at t.
        labels: Words or classes, -100 where none is learned.
        reduction: `mean` over an example's labelled positions, or their `sum`.

    Returns:
        One loss an example.
    """
    kept = labels != IGNORED  # [B, T]
    # Only the rows of label tokens are raised to float32: V is large.
    tokens = nn.functional.cross_entropy(
        at_least_float32(logits[kept]), labels[kept], reduction="none"
    )
    # Put back in place instead of index_add, whose order is not fixed on GPUs.
    table = torch.zeros(kept.shape, dtype=tokens.dtype, device=tokens.device)
    sums = table.masked_scatter(kept, tokens).sum(dim=1)
    return sums if reduction == Reduction.SUM else sums / kept.sum(dim=1)
