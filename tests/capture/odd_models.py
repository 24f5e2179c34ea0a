"""A model that uses its layers in ways that a rule alone would get wrong."""

from typing import Any

import torch
from torch import nn

from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.layout import Block
from tests.cases import TokenTask


class Odd(nn.Module):
    """Uses its linear layers in ways that a rule alone would get wrong."""

    gradient_checkpointing = False

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.way, self.inner, self.out = way, nn.Linear(5, 5), nn.Linear(5, 3)
        self.double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.way == "once":
            x = self.inner(x)
        elif self.way == "twice":
            x = self.inner(torch.tanh(self.inner(x)))
        elif self.way == "keyword":
            x = self.inner(input=x)
        elif self.way == "folded":
            x = self.inner(x.flatten(0, 1)).view_as(x)
        elif self.way == "read":
            x = self.inner(x) + torch.tanh(x @ self.inner.weight)
        elif self.way == "mixed":
            x = self.inner(x.flatten(0, 1)).view_as(x) + self.inner(x)
        return self.out(torch.tanh(x)).sum(1)


class OddTask(TokenTask):
    def collate(self, examples: Any) -> dict[str, torch.Tensor]:
        return {"x": torch.stack([e["x"] for e in examples])}

    def losses(self, model: nn.Module, batch: Any) -> torch.Tensor:
        return (model(batch["x"]) ** 2).sum(-1)


def odd(way: str) -> tuple[Odd, Adapter, dict[str, torch.Tensor]]:
    model = Odd(way)
    trained = tuple(
        TrainedParameter(Block(n, tuple(p.shape)), p, n)
        for n, p in model.named_parameters()
    )
    x = torch.randn(
        7, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    return model, Adapter("odd", trained), {"x": x}
