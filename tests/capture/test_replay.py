"""A module replayed by itself against autograd, one example at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datainf.capture.replay import Replay, tensors_of


class Twice(torch.autograd.Function):
    """An old-style function, which `torch.func` refuses."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        return 2 * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # noqa: ARG004
        return 2 * g


class Scaled(nn.Module):
    """Reads one vector in its forward, another not at all."""

    def __init__(self, *, old: bool) -> None:
        super().__init__()
        self.old, self.runs = old, 0
        self.vectors = nn.ParameterDict({"used": torch.randn(5), "idle": torch.ones(3)})
        self.double()

    def forward(self, x: Tensor, *, shift: Tensor, power: int) -> Tensor:
        self.runs += 1
        scaled: Tensor = x**power * self.vectors["used"]
        return (Twice.apply(scaled) if self.old else scaled.sin()) + shift


@pytest.mark.parametrize("old", [False, True])
def test_a_replay_equals_autograd_with_or_without_vmap(old: bool) -> None:
    module = Scaled(old=old)
    x, shift, g = (torch.randn(7, 3, 5, dtype=torch.float64) for _ in range(3))
    names = ["vectors.used", "vectors.idle"]
    parameters = {name: module.get_parameter(name) for name in names}
    call: Any = ((None,), {"shift": None, "power": 2})
    replay = Replay(module)
    for _ in range(2):
        module.runs = 0
        found = replay.gradients(parameters, call, {0: x, "shift": shift}, g)
    assert module.runs == (7 if old else 1)
    assert found["vectors.idle"].tolist() == [[0.0] * 3] * 7
    for i in range(7):
        output = module(x[i], shift=shift[i], power=2)
        (right,) = torch.autograd.grad(output, parameters["vectors.used"], g[i])
        torch.testing.assert_close(found["vectors.used"][i], right)
    assert module.vectors["used"] is parameters["vectors.used"]


def test_memory_that_runs_out_is_passed_on_for_a_smaller_batch() -> None:
    class Full(Scaled):
        def forward(self, *_: Any, **__: Any) -> Tensor:
            raise torch.OutOfMemoryError

    module, x = Full(old=False), torch.zeros(7, 5)
    parameters = {"vectors.used": module.get_parameter("vectors.used")}
    with pytest.raises(torch.OutOfMemoryError):
        Replay(module).gradients(parameters, ((None,), {}), {0: x}, x)


def test_tensors_are_found_by_position_and_name_and_never_inside_others() -> None:
    x, y = torch.zeros(2), torch.ones(3)
    found = tensors_of((x, None, (1, "a")), {"y": y, "layer": nn.Linear(2, 2)})
    assert found is not None
    assert list(found) == [0, "y"]
    assert tensors_of((x, (y, y)), {}) is None
    assert tensors_of((x,), {"cache": {"y": y}}) is None
    assert tensors_of((x,), {"cache": object()}) is None
