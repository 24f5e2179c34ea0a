"""The linear rule against autograd, one example at a time."""

import pytest
import torch

from datainf.capture.linear import linear_bias, linear_weight


@pytest.mark.parametrize("shape", [(), (7,), (3, 2)])
def test_the_rule_equals_autograd_for_any_number_of_token_dimensions(
    shape: tuple[int, ...],
) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(5, 3).double()
    x = torch.randn(11, *shape, 5, dtype=torch.float64, generator=generator)
    g = torch.randn(11, *shape, 3, dtype=torch.float64, generator=generator)
    weight, bias = linear_weight(layer, x, g), linear_bias(layer, x, g)
    for i in range(11):
        right = torch.autograd.grad(layer(x[i]), list(layer.parameters()), g[i])
        torch.testing.assert_close(weight[i], right[0])
        torch.testing.assert_close(bias[i], right[1])
