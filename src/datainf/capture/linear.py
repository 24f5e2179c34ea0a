"""The rule for `nn.Linear`: weight and bias gradients of each example by themselves.

For y = x Wᵀ + b an example's gradients are Σ_t g_t x_tᵀ and Σ_t g_t, the sums running
over its own tokens only. Exact. Cost per example: T·d_in·d_out, what the summed
gradient costs; T·d_out where only the bias is trained.

B examples, T tokens (any number of dimensions between the first and the last).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def linear_weight(
    module: nn.Module,  # noqa: ARG001 - a rule's signature
    inputs: Float[Tensor, "B *T d_in"],
    grad_output: Float[Tensor, "B *T d_out"],
) -> Float[Tensor, "B d_out d_in"]:
    """Compute the gradient of a linear layer's weight for each example.

    Args:
        module: The layer.
        inputs: What it was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.

    Returns:
        One weight gradient an example.
    """
    x = inputs.flatten(1, -2) if inputs.ndim > 2 else inputs.unsqueeze(1)
    g = grad_output.flatten(1, -2) if grad_output.ndim > 2 else grad_output.unsqueeze(1)
    return torch.bmm(g.transpose(1, 2), x)


def linear_bias(
    module: nn.Module,  # noqa: ARG001
    inputs: Float[Tensor, "B *T d_in"],  # noqa: ARG001
    grad_output: Float[Tensor, "B *T d_out"],
) -> Float[Tensor, "B d_out"]:
    """Compute the gradient of a linear layer's bias for each example.

    Args:
        module: The layer.
        inputs: What it was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.

    Returns:
        One bias gradient an example.
    """
    return grad_output.flatten(1, -2).sum(1) if grad_output.ndim > 2 else grad_output
