"""The rule for `nn.Embedding`: each example's gradient lands on the rows it looked up.

Row v of an example's gradient is Σ_{t: id_t = v} g_t, and zero for the padding index.
Exact. Cost per example: T·d for the sums, V·d for the zeros around them.

B examples, T tokens (any number of dimensions), V rows of width d.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn


def embedding_weight(
    module: nn.Module,
    inputs: Int[Tensor, "B ..."],
    grad_output: Float[Tensor, "B *T d"],
) -> Float[Tensor, "B V d"]:
    """Compute the gradient of an embedding's weight for each example.

    Args:
        module: The embedding.
        inputs: The indices that were looked up.
        grad_output: Gradient of the summed losses with respect to the rows returned.

    Returns:
        One weight gradient an example.
    """
    table = module.get_parameter("weight")
    ids = inputs.reshape(len(inputs), -1).long()
    g = grad_output.reshape(*ids.shape, table.shape[1])
    padding = module.padding_idx
    if isinstance(padding, int):
        g = g * (ids != padding).unsqueeze(2)
    found = g.new_zeros(len(ids), *table.shape)
    found.scatter_add_(1, ids.unsqueeze(2).expand_as(g), g)
    return found
