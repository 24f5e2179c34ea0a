"""Which blocks have Kronecker factors, and what one call of a layer adds to them.

The weights of linear layers have, taken by the rule of `linear.py`. Every other block
is told apart with a reason: vectors, other layers, replayed or looped parameters, and
weights with a side beyond `MAX_SIDE`.

Which tokens count: those of the batch's attention mask, as in other libraries, wherever
the layer was called with as many tokens as the mask has; a token whose δ is zero counts
too then, in A and in the mean. Elsewhere (a head on one vector an example, no mask at
all), and in all layers of an encoder-decoder or of a model with soft prompts, where the
mask may be of other tokens and as many by accident, a token counts if it has a
gradient:
padding never has, a probe refuses losses that depend on it. Some gradients are zero but
for rounding, so there a thousandth of the example's largest δ is asked for; what is
below adds less than a millionth to S.

i, o: a layer's inputs and outputs.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from datainf.capture.readers import Reader
from datainf.core.factors import BlockSums
from datainf.core.layout import Layout

MAX_SIDE = 8192
"""The largest factor: 256 MiB in float32, and minutes for its eigenvectors."""

_LEAST = 1e-3

LOST = "its examples could not be told apart in some batch"


def unfactored(
    readers: Sequence[Reader], layout: Layout, looped: Sequence[str]
) -> dict[str, str]:
    """Find the blocks that have no Kronecker factors.

    Args:
        readers: Who reads the collected parameters.
        layout: The blocks.
        looped: Those that take the looped path.

    Returns:
        Block name -> why.
    """
    linear: dict[str, bool] = {}
    for reader in readers:
        for block_name, inside in reader.names.items():
            mine = type(reader.module) is nn.Linear and inside == "weight"
            linear[block_name] = linear.get(block_name, True) and mine
    reasons: dict[str, str] = {}
    for block in layout:
        if len(block.shape) == 1:
            reasons[block.name] = "it is a vector"
        elif not linear.get(block.name, False):
            reasons[block.name] = "it is no weight of a Linear layer"
        elif block.name in looped:
            reasons[block.name] = "it takes the looped path"
        elif max(block.shape) > MAX_SIDE:
            reasons[block.name] = f"its side of {max(block.shape)} is above {MAX_SIDE}"
    return reasons


def token_sums(
    inputs: Float[Tensor, "B *T i"],
    grad_output: Float[Tensor, "B *T o"],
    mask: Shaped[Tensor, "B M"] | None = None,
) -> BlockSums | None:
    """Sum the outer products of one call's tokens.

    Args:
        inputs: What the layer was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.
        mask: The batch's attention mask: not zero for what is no padding. None where
            the layer may be called with other tokens than the mask's.

    Returns:
        The sums over the tokens that count; None where none does.
    """
    lengths = torch.linalg.vector_norm(grad_output, dim=-1)
    largest = lengths.flatten(1).amax(1) if lengths.ndim > 1 else lengths
    used = lengths > _LEAST * largest.view(-1, *[1] * (lengths.ndim - 1))
    if mask is not None and mask.shape == used.shape:
        # Joined: what has a gradient counts, whatever a mask of the user's own says.
        used |= mask.to(used.device) != 0
    x, g = inputs[used], grad_output[used]
    return BlockSums(x.T @ x, g.T @ g, len(x)) if len(x) else None


def lost(blocks: Sequence[str]) -> Mapping[str, str]:
    """Say why blocks that a batch has lost have no factors from now on.

    Args:
        blocks: Their names.

    Returns:
        Block name -> why.
    """
    return dict.fromkeys(blocks, LOST)
