"""The table of layer rules: which layer types give per-example gradients directly.

A rule is a pure function (layer, inputs `[B, R, ...]`, output gradients `[B, R, ...]`)
-> the gradient `[B, *shape]` of one of the layer's parameters, summed over the R rows
that the layer was called with for each example. A new rule is one file and one line
here. Types match exactly: a subclass may compute something else. A parameter that has
no line here is replayed (`replay.py`): its module runs again, for each example.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from datainf.capture.conv import conv_bias, conv_weight
from datainf.capture.embedding import embedding_weight
from datainf.capture.layer_norm import layer_norm_bias, layer_norm_weight
from datainf.capture.linear import linear_bias, linear_weight

Rule = Callable[[nn.Module, Tensor, Tensor], Tensor]

OUTER_PRODUCTS = frozenset({linear_weight})
"""Rules whose gradient is Σ_t g_t x_tᵀ, with one number of g and x for each output and
input: projecting its sides is projecting g and x."""

RULES: dict[type[nn.Module], Mapping[str, Rule]] = {
    nn.Conv1d: {"weight": conv_weight, "bias": conv_bias},
    nn.Conv2d: {"weight": conv_weight, "bias": conv_bias},
    nn.Conv3d: {"weight": conv_weight, "bias": conv_bias},
    nn.Embedding: {"weight": embedding_weight},
    nn.LayerNorm: {"weight": layer_norm_weight, "bias": layer_norm_bias},
    nn.Linear: {"weight": linear_weight, "bias": linear_bias},
}
