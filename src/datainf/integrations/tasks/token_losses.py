"""Cross entropies of a batch's tokens, reduced to one number an example.

    mean (or sum), over the t with y[t] != -100, of  -log softmax(logits[t])[y[t]]

`weighted_losses` is the same before it is reduced. B examples, T tokens of the longest,
V words or classes, y the labels. Memory beyond the logits: one float32 row of V for
each label token.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from datainf.core.options import Reduction
from datainf.core.task import TokenLosses
from datainf.integrations.tasks.tokens import IGNORED, at_least_float32


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
    return per_example(tokens, kept, reduction)


def per_example(
    terms: Float[Tensor, " n"],
    kept: Bool[Tensor, "B T"],
    reduction: Reduction | str,
) -> Float[Tensor, " B"]:
    """Reduce one number a labelled position to one an example.

    Args:
        terms: The numbers, row by row.
        kept: Where they belong, n places.
        reduction: `mean` over an example's places, or their `sum`.

    Returns:
        One number an example.
    """
    # Put back in place instead of index_add, whose order is not fixed on GPUs.
    table = torch.zeros(kept.shape, dtype=terms.dtype, device=terms.device)
    sums = table.masked_scatter(kept, terms).sum(dim=1)
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


def one_later(found: TokenLosses) -> TokenLosses:
    """Put what is said of the next token at that token.

    Args:
        found: At the positions that predict.

    Returns:
        At the positions that are predicted; 0 at the first.
    """
    return TokenLosses(*(nn.functional.pad(part, (1, 0)) for part in found))
