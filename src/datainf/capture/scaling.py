"""Losses are made larger on the way back through a model in float16.

Its numbers end at 6e-8, and gradients of a mean over thousands of places (the pixels
of a latent, the tokens of a document) lie there: they would be rounded away. So the
backward pass begins with `SCALE` times the loss, as in training with mixed precision
(Micikevicius et al. 2018, arXiv:1710.03740), and what it finds is divided by it in
float32. A power of two, so nothing else is rounded otherwise.
"""

import torch
from torch import Tensor, nn

SCALE = 2.0**10


def scale_for(model: nn.Module) -> float:
    """Choose the factor: 1 for models without a weight in float16.

    Args:
        model: The model.

    Returns:
        What its losses are multiplied with.
    """
    half = any(p.dtype is torch.float16 for p in model.parameters())
    return SCALE if half else 1.0


def scaled(losses: Tensor, scale: float) -> Tensor:
    """Multiply losses; a graph of float16 would not have room for them.

    Args:
        losses: Any shape.
        scale: The factor.

    Returns:
        They, times the factor.
    """
    return losses if scale == 1 else wide(losses) * scale


def unscaled(gradient: Tensor, scale: float) -> Tensor:
    """Divide a gradient, in at least float32, without its graph.

    Args:
        gradient: Of a loss that was made larger.
        scale: By what.

    Returns:
        That of the loss itself.
    """
    found = wide(gradient.detach())
    return found if scale == 1 else found / scale


def wide(tensor: Tensor) -> Tensor:
    """Go to at least float32, so that sums and norms keep their digits."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
