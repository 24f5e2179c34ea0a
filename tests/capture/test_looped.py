"""The looped path: one backward pass an example."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from datainf.capture.looped import looped_gradients, unused
from datainf.capture.parts import batch_size
from datainf.core.adapter import TrainedParameter
from datainf.core.layout import Block


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))


def losses(model: nn.Module, batch: Mapping[str, Any]) -> torch.Tensor:
    return (batch["x"] * model.get_parameter("used") ** 2).sum(1)


def test_each_example_is_differentiated_by_itself_and_grad_is_left_alone() -> None:
    model, x = Two(), torch.arange(15.0).view(5, 3)
    model.used.grad = torch.full((3,), 7.0)
    model.used.requires_grad_(False)
    found = looped_gradients(
        model, {"x": x, "note": "kept"}, losses, [model.used, model.idle]
    )
    torch.testing.assert_close(found[0], 2 * x)
    assert found[1].tolist() == [[0.0, 0.0]] * 5
    assert model.used.grad.tolist() == [7.0] * 3
    assert not model.used.requires_grad
    assert model.idle.requires_grad


def test_unused_parameters_are_found() -> None:
    model = Two()
    trained = [
        TrainedParameter(Block(n, tuple(p.shape)), p, n)
        for n, p in model.named_parameters()
    ]
    batch = {"x": torch.ones(5, 3)}
    assert [t.path for t in unused(model, batch, losses, trained)] == ["idle"]
    constant = unused(model, batch, lambda _, b: b["x"].sum(1), trained)
    assert [t.path for t in constant] == ["used", "idle"]


def test_no_parameters_no_work() -> None:
    assert looped_gradients(Two(), {"x": torch.ones(5, 3)}, losses, []) == []


def test_the_batch_size_is_that_of_the_first_tensor() -> None:
    assert batch_size({"note": "x", "ids": torch.ones(5, 3)}) == 5
