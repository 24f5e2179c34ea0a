"""The next-token losses of a batch, reduced to one number an example.

    mean (or sum), over the t with y[t+1] != -100, of  -log softmax(logits[t])[y[t+1]]

B examples, T tokens of the longest, V words, y the labels. Memory beyond the logits:
one float32 row of V for each label token.
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
    targets = labels[:, 1:]
    kept = targets != IGNORED  # [B, T - 1]
    # Only the rows of label tokens are raised to float32: V is large.
    tokens = nn.functional.cross_entropy(
        at_least_float32(logits[:, :-1][kept]), targets[kept], reduction="none"
    )
    # Put back in place instead of index_add, whose order is not fixed on GPUs.
    table = torch.zeros(kept.shape, dtype=tokens.dtype, device=tokens.device)
    sums = table.masked_scatter(kept, tokens).sum(dim=1)
    return sums if reduction == Reduction.SUM else sums / kept.sum(dim=1)
