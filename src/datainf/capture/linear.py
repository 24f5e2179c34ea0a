"""The rule for `nn.Linear`: weight and bias gradients of each example by themselves.

For y = x Wᵀ + b an example's gradients are Σ_t g_t x_tᵀ and Σ_t g_t, the sums running
over its own tokens only. Exact. Cost per example: T·d_in·d_out, what the summed
gradient costs.

B examples, T tokens (any number of dimensions between the first and the last).
"""

import torch
from jaxtyping import Float
from torch import Tensor


def linear_gradients(
    inputs: Float[Tensor, "B *T d_in"], grad_output: Float[Tensor, "B *T d_out"]
) -> dict[str, Float[Tensor, "B ..."]]:
    """Compute the gradients of a linear layer's weight and bias for each example.

    Args:
        inputs: What the layer was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.

    Returns:
        `weight` `[B, d_out, d_in]` and `bias` `[B, d_out]`.
    """
    x = inputs.flatten(1, -2) if inputs.ndim > 2 else inputs.unsqueeze(1)
    g = grad_output.flatten(1, -2) if grad_output.ndim > 2 else grad_output.unsqueeze(1)
    return {"weight": torch.bmm(g.transpose(1, 2), x), "bias": g.sum(dim=1)}
