"""Cross entropies of a batch's tokens, reduced to one number an example.

    mean (or sum), over the t with y[t] != -100, of  -log softmax(logits[t])[y[t]]

`token_losses` is the same with the logits one place earlier, as language models
predict; `weighted_losses` and `next_token_losses` are both before they are reduced. B
examples, T tokens of the longest, V words or classes, y the labels. Memory beyond the
logits: one float32 row of V for each label token.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from datainf.core.options import Reduction
from datainf.core.task import TokenLosses
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


def weighted_losses(
    logits: Float[Tensor, "B T V"],
    labels: Int[Tensor, "B T"],
    reduction: Reduction | str = Reduction.MEAN,
) -> TokenLosses:
    """Give the cross entropy of each labelled position with its weight in the loss.

    Args:
        logits: The logits at t predict the label at t.
        labels: Words or classes, -100 where none is learned.
        reduction: As for `label_losses`.

    Returns:
        Losses, 0 where none is learned; weights 1, or one over their number for `mean`.
    """
    kept = labels != IGNORED  # [B, T]
    tokens = nn.functional.cross_entropy(
        at_least_float32(logits[kept]), labels[kept], reduction="none"
    )
    table = torch.zeros(kept.shape, dtype=tokens.dtype, device=tokens.device)
    counts = kept.sum(dim=1, keepdim=True) if reduction == Reduction.MEAN else 1
    return TokenLosses(
        table.masked_scatter(kept, tokens), kept.to(table.dtype) / counts
    )


def next_token_losses(
    logits: Float[Tensor, "B T V"],
    labels: Int[Tensor, "B T"],
    reduction: Reduction | str = Reduction.MEAN,
) -> TokenLosses:
    """Give the next-token cross entropy of each label token with its weight.

    Args:
        logits: The logits at t predict the token at t + 1.
        labels: As for `token_losses`.
        reduction: As for `token_losses`.

    Returns:
        Losses and weights at the tokens that are predicted; 0 at the first.
    """
    found = weighted_losses(logits[:, :-1], labels[:, 1:], reduction)
    return TokenLosses(*(nn.functional.pad(part, (1, 0)) for part in found))
