"""Compare captured gradients with the autograd loop, and a model with what it was."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
import transformers
from packaging.version import Version
from torch import nn

from datainf.capture.session import CaptureSession
from datainf.core.adapter import Adapter
from tests.reference_gradients import gradients_one_by_one

BATCHES: tuple[tuple[int, ...], ...] = ((2, 0, 6), (1,), (5, 3, 4))
# A key's bias shifts all scores of a query alike, so no loss depends on it.
NO_TRUE_GRADIENT = "key.bias"


def relative_error(got: torch.Tensor, right: torch.Tensor) -> float:
    """Largest row error over the block's largest row norm."""
    error = (got.double() - right.double()).norm(dim=1).max()
    return float(error / right.double().norm(dim=1).max())


def errors(
    model: nn.Module,
    adapter: Adapter,
    task: Any,
    rows: Sequence[Any],
    *,
    session: CaptureSession | None = None,
    batches: Sequence[Sequence[int]] = BATCHES,
) -> dict[str, float]:
    """Take gradients batch by batch; give each block's error against the loop.

    Args:
        model: The model.
        adapter: Its adapter.
        task: Gives the losses.
        rows: The examples.
        session: An entered session; one without a probe when not given.
        batches: Positions of each batch's examples.

    Returns:
        Block name -> relative error.
    """
    got: dict[str, list[torch.Tensor]] = {name: [] for name in adapter.layout.names}

    def take(session: CaptureSession) -> None:
        for positions in batches:
            found, _ = session.gradients(task.collate([rows[i] for i in positions]))
            assert list(found) == list(adapter.layout.names)
            for name, gradient in found.items():
                got[name].append(gradient)

    if session is None:
        with CaptureSession(model, adapter, task) as own:
            take(own)
    else:
        take(session)
    parameters = {t.block.name: t.parameter for t in adapter.parameters}
    order = [i for positions in batches for i in positions]
    with adapter.activated():
        right = gradients_one_by_one(model, task, [rows[i] for i in order], parameters)
    assert right
    assert right.keys() == got.keys()
    return {
        name: relative_error(torch.cat(got[name]), right[name])
        for name in right
        if not name.endswith(NO_TRUE_GRADIENT)
    }


def state_of(model: nn.Module) -> dict[str, Any]:
    """Copy all that capture must leave as it was."""
    configs = getattr(model, "peft_config", {})
    return {
        "weights": {k: v.clone() for k, v in model.state_dict().items()},
        "grads": [
            None if p.grad is None else p.grad.clone() for p in model.parameters()
        ],
        "flags": [p.requires_grad for p in model.parameters()],
        "identities": [id(p) for p in model.parameters()],
        "modes": [m.training for m in model.modules()],
        "hooks": [
            (len(m._forward_hooks), len(m._backward_hooks), len(m._forward_pre_hooks))
            for m in model.modules()
        ],
        "attributes": [sorted(vars(m)) for m in model.modules()],
        "configs": {name: str(config) for name, config in configs.items()},
        "active": str(getattr(model, "active_adapter", None)),
        "rng": torch.get_rng_state(),
    }


def same(left: Any, right: Any) -> bool:
    """Compare two states to the bit."""
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and torch.equal(left, right)
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(
            same(left[k], right[k]) for k in left
        )
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def keep_double(monkeypatch: pytest.MonkeyPatch, kind: str = "") -> None:
    """Keep float64 through attention, whose softmax transformers takes in float32."""
    softmax, to_float = nn.functional.softmax, torch.Tensor.float

    def honest(
        x: torch.Tensor, dim: int = -1, dtype: Any = None, **options: Any
    ) -> Any:
        return softmax(
            x, dim, dtype=None if x.dtype == torch.float64 else dtype, **options
        )

    def single(x: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        return x if x.dtype == torch.float64 else to_float(x, *args, **options)

    monkeypatch.setattr(nn.functional, "softmax", honest)
    if kind == "seq2seq" and Version(transformers.__version__) < Version("5"):
        # T5 casts its scores by this, and nothing else.
        monkeypatch.setattr(torch.Tensor, "float", single)
