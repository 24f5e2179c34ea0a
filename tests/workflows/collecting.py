"""What tests of collecting share: a reporter that remembers, a task that is watched.

Both write into one list of events, so that a test can ask what came before what.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from datainf.integrations.peft import adapter_of
from datainf.store.reader import GradientStore
from datainf.workflows.collect import collect
from tests.cases import LENGTHS, TokenTask, token_rows
from tests.reference_gradients import gradients_one_by_one

ROWS = token_rows("decoder")
PROMPTS = [{"prompt": "a" * n, "completion": "bcdef"[: n % 5 + 1]} for n in LENGTHS]
Event = tuple[str, Any]


class Told:
    """A reporter that keeps what it was told, in the order it came.

    Attributes:
        events: `("say", text)`, `("stage", (title, total))`, `("step", how many)`.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def say(self, text: str) -> None:
        self.events.append(("say", text))

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[float], None]]:
        self.events.append(("stage", (title, total)))
        yield lambda steps: self.events.append(("step", steps))

    def of(self, kind: str) -> list[Any]:
        """Everything of one kind."""
        return [what for name, what in self.events if name == kind]

    def while_collecting(self, kind: str) -> list[Any]:
        """Everything of one kind after the stage of the gradients began."""
        titles = [what[0] if name == "stage" else "" for name, what in self.events]
        if "gradients" not in titles:
            return []
        rest = self.events[titles.index("gradients") :]
        return [what for name, what in rest if name == kind]


class StoppedError(Exception):
    """The fake accident."""


@dataclass(frozen=True)
class Watched(TokenTask):
    """TokenTask that notes each pass, can run out of memory, and can be stopped.

    Attributes:
        told: Gets `("pass", the batch's padded shape)`.
        room: Most padded tokens that fit into memory.
        stop_at: The batch of the gradients' stage, from 1, in which to stop.
        error: What happens then.
    """

    told: Told = field(default_factory=Told)
    room: int = 10**9
    stop_at: int = 10**9
    error: BaseException = field(default_factory=StoppedError)

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        self.told.events.append(("pass", tuple(batch["input_ids"].shape)))
        if batch["input_ids"].numel() > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if len(self.told.while_collecting("pass")) == self.stop_at:
            raise self.error
        return super().losses(model, batch)


def run(task: Watched, out: Any, model: nn.Module, **options: Any) -> GradientStore:
    """Collect with a watched task."""
    return collect(model, ROWS, task, out=out, progress=task.told, **options)


def state_of(model: nn.Module) -> dict[str, Any]:
    """Everything about a model and the random state that must not change."""
    return {
        "weights": {k: v.numpy().tobytes() for k, v in model.state_dict().items()},
        "gradients": [
            None if p.grad is None else p.grad.numpy().tobytes()
            for p in model.parameters()
        ],
        "flags": [p.requires_grad for p in model.parameters()],
        "modes": [m.training for m in model.modules()],
        "rates": [m.p for m in model.modules() if isinstance(m, nn.Dropout)],
        "hooks": [
            (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks))
            for m in model.modules()
        ],
        "random": torch.get_rng_state().numpy().tobytes(),
    }


def together(store: Any) -> dict[str, Tensor]:
    """All rows of a source: block name -> `[N, d]`."""
    parts = list(store.rows())
    return {
        name: torch.cat([part.gradients[name] for part in parts])
        for name in store.layout.names
    }


def relative_error(got: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> float:
    """Largest error of a row over the largest row of its block, in the worst block."""
    assert got.keys() == right.keys()
    assert right
    errors = []
    for name, expected in right.items():
        error = (got[name].double() - expected.double()).norm(dim=1).max()
        errors.append(float(error / expected.double().norm(dim=1).max()))
    return max(errors)


def right_gradients(model: nn.Module, task: Any, rows: Any, **options: Any) -> Any:
    """Autograd, one example at a time, rounded as the store rounds."""
    adapter = adapter_of(model, **options)
    parameters = {t.block.name: t.parameter for t in adapter.parameters}
    found = gradients_one_by_one(model, task, rows, parameters)
    return {name: gradient.float() for name, gradient in found.items()}
