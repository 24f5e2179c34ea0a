"""Every rule of the table is a rule of the layer it is listed under."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from datainf.capture.registry import RULES


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


EXAMPLES: dict[type[nn.Module], tuple[Callable[[], nn.Module], Callable[[], Tensor]]]
EXAMPLES = {
    nn.Conv1d: (lambda: nn.Conv1d(3, 5, 2), lambda: numbers(7, 3, 11)),
    nn.Conv2d: (lambda: nn.Conv2d(3, 5, 2), lambda: numbers(7, 3, 11, 5)),
    nn.Conv3d: (lambda: nn.Conv3d(3, 5, 2), lambda: numbers(7, 3, 4, 5, 2)),
    nn.Embedding: (
        lambda: nn.Embedding(5, 3, padding_idx=2),
        lambda: torch.randint(5, (7, 11)),
    ),
    nn.LayerNorm: (lambda: nn.LayerNorm((2, 5)), lambda: numbers(7, 11, 2, 5)),
    nn.Linear: (lambda: nn.Linear(5, 3), lambda: numbers(7, 11, 5)),
}


def test_every_rule_has_a_case_here() -> None:
    assert RULES.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("rows", [1, 2])
def test_every_rule_equals_autograd_example_by_example(
    kind: type[nn.Module], rows: int
) -> None:
    make, inputs = EXAMPLES[kind]
    layer, rules = make().double(), RULES[kind]
    x = torch.stack([inputs() for _ in range(rows)], dim=1)
    g = torch.randn_like(layer(x.flatten(0, 1)))
    g = g.reshape(*x.shape[:2], *g.shape[1:])
    assert rules.keys() == dict(layer.named_parameters()).keys()
    for i in range(len(x)):
        right = torch.autograd.grad(layer(x[i]), list(layer.parameters()), g[i])
        for name, expected in zip(rules, right, strict=True):
            torch.testing.assert_close(rules[name](layer, x, g)[i], expected)
