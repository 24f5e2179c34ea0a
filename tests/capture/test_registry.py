"""Every rule of the table is a rule of the layer it is listed under."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from datainf.capture.registry import RULES


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


EXAMPLES: dict[type[nn.Module], tuple[Callable[[], nn.Module], Callable[[], Tensor]]]
EXAMPLES = {
    nn.Embedding: (
        lambda: nn.Embedding(5, 3, padding_idx=2),
        lambda: torch.randint(5, (7, 11)),
    ),
    nn.LayerNorm: (lambda: nn.LayerNorm((2, 5)), lambda: numbers(7, 11, 2, 5)),
    nn.Linear: (lambda: nn.Linear(5, 3), lambda: numbers(7, 11, 5)),
}


def test_every_rule_has_a_case_here() -> None:
    assert RULES.keys() == EXAMPLES.keys()


def test_every_rule_equals_autograd_example_by_example() -> None:
    for kind, rules in RULES.items():
        make, inputs = EXAMPLES[kind]
        layer, x = make().double(), inputs()
        output = layer(x)
        g = torch.randn_like(output)
        assert rules.keys() == dict(layer.named_parameters()).keys()
        for i in range(len(x)):
            parameters = list(layer.parameters())
            right = torch.autograd.grad(layer(x[i : i + 1]), parameters, g[i : i + 1])
            for name, expected in zip(rules, right, strict=True):
                torch.testing.assert_close(rules[name](layer, x, g)[i], expected)
