"""Losses in float16 are made larger on the way back, and their gradients smaller."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datainf.capture.scaling import SCALE, scale_for, scaled, unscaled
from datainf.capture.session import LOOPED, CaptureSession
from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.layout import Block

PLACES = 4099


class Places(nn.Module):
    """A layer whose output is looked at in many places."""

    def __init__(self, *, bare: bool) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.inner = nn.Linear(5, 3, bias=False)
        self.inner.weight.data = torch.randn(3, 5, generator=generator)
        self.bare = bare

    def forward(self, x: Tensor) -> Tensor:
        hidden = x @ self.inner.weight.T if self.bare else self.inner(x)
        return hidden / 256


class MeanOverPlaces:
    """The mean square over all places, as of a latent."""

    def collate(self, examples: Sequence[Tensor]) -> Mapping[str, Any]:
        return {"x": torch.stack(list(examples))}

    def losses(self, model: nn.Module, batch: Mapping[str, Any]) -> Tensor:
        said = model(batch["x"])
        wide = said.to(torch.promote_types(said.dtype, torch.float32))
        return wide.square().mean((1, 2))

    def describe(self, example: Tensor) -> str:
        return str(len(example))

    def length(self, example: Tensor) -> int:
        return len(example)

    def settings(self) -> dict[str, Any]:
        return {"name": "places"}


def gradient(dtype: torch.dtype, *, bare: bool) -> Tensor:
    model = Places(bare=bare).to(dtype)
    weight = model.inner.get_parameter("weight")
    block = Block("inner.weight", tuple(weight.shape))
    adapter = Adapter("a", (TrainedParameter(block, weight, "inner.weight"),))
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(2, PLACES, 5, generator=generator).to(dtype)
    task = MeanOverPlaces()
    with CaptureSession(model, adapter, task) as session:  # type: ignore[arg-type]
        if bare:
            session.coverage["inner.weight"] = LOOPED
        found, _ = session.gradients(task.collate(list(rows)))
    return found["inner.weight"].double()


@pytest.mark.parametrize("bare", [False, True], ids=["rule", "looped"])
def test_gradients_below_the_least_number_of_float16_are_kept(bare: bool) -> None:
    right, found = (gradient(d, bare=bare) for d in (torch.float64, torch.float16))
    error = (found - right).norm(dim=1) / right.norm(dim=1)
    assert float(error.max()) <= 0.01


def test_other_models_are_left_as_they_are() -> None:
    assert scale_for(nn.Linear(2, 2).half()) == SCALE
    losses = torch.ones(2)
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        assert scale_for(nn.Linear(2, 2).to(dtype)) == 1
    assert scaled(losses, 1.0) is losses
    assert unscaled(torch.ones(2, dtype=torch.bfloat16), 1.0).dtype is torch.float32


def test_a_loss_in_float16_has_room_for_the_factor() -> None:
    losses = torch.full((2,), 500.0, dtype=torch.float16)
    assert scaled(losses, SCALE).tolist() == [500 * SCALE] * 2
    assert unscaled(scaled(losses, SCALE), SCALE).tolist() == [500.0] * 2
