"""The layer norm's rules against autograd, one example at a time."""

import pytest
import torch

from datainf.capture.layer_norm import layer_norm_bias, layer_norm_weight


@pytest.mark.parametrize("shape", [(), (7,), (3, 2)])
def test_the_rules_equal_autograd_for_any_number_of_token_dimensions(
    shape: tuple[int, ...],
) -> None:
    layer = torch.nn.LayerNorm(5, eps=0.1).double()
    x = torch.randn(11, *shape, 5, dtype=torch.float64)
    g = torch.randn_like(x)
    weight, bias = layer_norm_weight(layer, x, g), layer_norm_bias(layer, x, g)
    for i in range(11):
        right = torch.autograd.grad(layer(x[i]), [layer.weight, layer.bias], g[i])
        torch.testing.assert_close(weight[i], right[0])
        torch.testing.assert_close(bias[i], right[1])
