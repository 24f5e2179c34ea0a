"""Every rule of the table is a rule of the layer it is listed under."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from datainf.capture.registry import RULES

EXAMPLES: dict[type[nn.Module], tuple[Callable[[], nn.Module], Sequence[int]]] = {
    nn.Linear: (lambda: nn.Linear(5, 3), (7, 11, 5))
}


def test_every_rule_has_a_case_here() -> None:
    assert RULES.keys() == EXAMPLES.keys()


def test_every_rule_equals_autograd_example_by_example() -> None:
    for kind, rule in RULES.items():
        make, shape = EXAMPLES[kind]
        layer, x = make().double(), torch.randn(shape, dtype=torch.float64)
        output = layer(x)
        g = torch.randn_like(output)
        found = rule(x, g)
        assert found.keys() == dict(layer.named_parameters()).keys()
        for i in range(len(x)):
            right = torch.autograd.grad(
                layer(x[i : i + 1]), list(layer.parameters()), g[i : i + 1]
            )
            for gradient, expected in zip(found.values(), right, strict=True):
                torch.testing.assert_close(gradient[i], expected)
