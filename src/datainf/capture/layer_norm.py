"""The rule for `nn.LayerNorm`: scale and shift gradients of each example.

For y = w ∘ x̂ + b, x̂ the normalised input, an example's gradients are Σ_t g_t ∘ x̂_t and
Σ_t g_t. Exact. Cost per example: T·d.

B examples, T tokens (any number of dimensions), S the shape that is normalised over.
"""

from jaxtyping import Float
from torch import Tensor, nn


def layer_norm_weight(
    module: nn.Module,
    inputs: Float[Tensor, "B ..."],
    grad_output: Float[Tensor, "B ..."],
) -> Float[Tensor, "B ..."]:
    """Compute the gradient of a layer norm's scale for each example.

    Args:
        module: The layer.
        inputs: What it was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.

    Returns:
        One gradient an example.
    """
    shape = tuple(module.get_parameter("weight").shape)
    epsilon = float(getattr(module, "eps", 0.0))
    normal = nn.functional.layer_norm(inputs, shape, eps=epsilon)
    return (grad_output * normal).reshape(len(inputs), -1, *shape).sum(1)


def layer_norm_bias(
    module: nn.Module,
    inputs: Float[Tensor, "B ..."],
    grad_output: Float[Tensor, "B ..."],
) -> Float[Tensor, "B ..."]:
    """Compute the gradient of a layer norm's shift for each example.

    Args:
        module: The layer.
        inputs: What it was called with.
        grad_output: Gradient of the summed losses with respect to the layer's output.

    Returns:
        One gradient an example.
    """
    shape = tuple(module.get_parameter("weight").shape)
    return grad_output.reshape(len(inputs), -1, *shape).sum(1)
