"""One byte a number: whole steps of a scale of each row in each block.

    g ≈ s · q,   q ∈ {−127, ..., 127},   |g − s q| ≤ s / 2,   max|g| / 127 ≤ s

s is the smallest float32 of 16 significant bits that is no less than max|g| / 127. So
s · q has at most 23 and is a float32 to the bit, on every machine; and rows that are
read and stored again, as `reuse` does, come out the same to the bit. n rows of one
block, d parameters of it.
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

STEPS = 127
# The float32 bits below the 16 most significant ones of a number.
_REST = 0xFF


def quantised(
    rows: Float[Tensor, "n d"],
) -> tuple[Int8[Tensor, "n d"], Float[Tensor, " n"]]:
    """Round rows to steps of their scale.

    Args:
        rows: The gradients of one block, on the CPU.

    Returns:
        The steps and the scales, float32. What is NaN or infinite in a row, or beyond
        the range of float32, makes its scale NaN or infinite.
    """
    largest = rows.abs().amax(dim=1).to(torch.float32)
    bits = (largest / STEPS).view(torch.int32)
    raised = ((bits + _REST) & ~_REST).view(torch.float32)
    scales = torch.where(largest.isfinite(), raised, largest)
    # Rows of zeros have the scale 0, and those that are no numbers none to divide by.
    usable = scales.isfinite() & (scales > 0)
    unit = torch.where(usable, scales, torch.ones_like(scales))
    steps = (rows / unit[:, None]).round().nan_to_num(0.0).clamp(-STEPS, STEPS)
    steps = torch.where(usable[:, None], steps, torch.zeros_like(steps))
    return steps.to(torch.int8).contiguous(), scales


def restored(
    steps: Int8[Tensor, "n d"], scales: Float[Tensor, " n"]
) -> Float[Tensor, "n d"]:
    """Read rows as numbers.

    Args:
        steps: What `quantised` gave.
        scales: The scale of each row.

    Returns:
        float32, exactly s · q.
    """
    return steps.to(torch.float32).mul_(scales[:, None])
