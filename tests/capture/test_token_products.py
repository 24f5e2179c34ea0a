"""Products of token losses with a direction against one backward pass a token."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datainf.capture.token_products import TokenProducts
from datainf.core.errors import DatainfWarning
from datainf.core.task import TokenTask
from datainf.integrations.peft import adapter_of
from tests.task_cases import CASES, Case
from tests.workflows.collecting import state_of

NAMES = [name for name, case in CASES.items() if isinstance(case.make(), TokenTask)]


class Doubled(torch.autograd.Function):
    """A function that knows no forward derivative."""

    @staticmethod
    def forward(ctx, x):  # noqa: ARG004
        return 2 * x

    @staticmethod
    def backward(ctx, g):  # noqa: ARG004
        return 2 * g


class Fused(nn.Module):
    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args, **kwargs):
        return Doubled.apply(self.inner(*args, **kwargs))


def token_task(case: Case) -> TokenTask:
    task = case.make()
    assert isinstance(task, TokenTask)
    return task


def direction_of(adapter, seed: int = 0) -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return {
        block.name: torch.randn(block.size, generator=chance, dtype=torch.float64)
        for block in adapter.layout
    }


def by_autograd(model, adapter, task, batch, direction) -> Tensor:
    """w_t ∇ℓ_t · x, a loss at a time."""
    parameters = [t.parameter for t in adapter.parameters]
    for parameter in parameters:
        parameter.requires_grad_(True)
    losses, weights = task.token_losses(model, batch)
    rows = []
    for loss, weight in zip(losses[0], weights[0], strict=True):
        if not weight:
            rows.append(torch.zeros((), dtype=torch.float64))
            continue
        found = torch.autograd.grad(loss, parameters, retain_graph=True)
        rows.append(
            sum(
                float(weight) * (g.flatten() @ direction[t.block.name])
                for g, t in zip(found, adapter.parameters, strict=True)
            )
        )
    for parameter in parameters:
        parameter.requires_grad_(False)
    return torch.stack(rows)


@pytest.mark.versions
@pytest.mark.parametrize(
    ("name", "attn"), [*((name, "sdpa") for name in NAMES), ("prompts", "eager")]
)
def test_all_tokens_at_once_give_what_each_alone_gives(name, attn):
    case = CASES[name]
    task, model = token_task(case), case.model(attn)
    adapter = adapter_of(model)
    direction = direction_of(adapter)
    batch = task.collate(case.rows[1:2])
    with (
        warnings.catch_warnings(action="error", category=DatainfWarning),
        TokenProducts(model, adapter, task) as products,
    ):
        found, weights = products.along(batch, direction)
    wanted = by_autograd(model, adapter, task, batch, direction)
    # Norms, and eager attention's softmax, are taken in single precision.
    largest = float(wanted.abs().max())
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6 * largest)
    assert torch.equal(weights > 0, found != 0)


def test_products_are_linear_in_the_direction_whatever_its_size():
    case = CASES["prompts"]
    task, model = token_task(case), case.model("sdpa")
    adapter = adapter_of(model)
    direction = direction_of(adapter)
    batch = task.collate(case.rows[:1])
    with TokenProducts(model, adapter, task) as products:
        plain, _ = products.along(batch, direction)
        huge, _ = products.along(batch, {k: 1e60 * v for k, v in direction.items()})
        none, _ = products.along(batch, {k: 0 * v for k, v in direction.items()})
    torch.testing.assert_close(huge, 1e60 * plain, rtol=1e-6, atol=0)
    assert not none.any()


def test_a_layer_without_forward_derivative_is_told_and_goes_token_by_token():
    case = CASES["prompts"]
    task, model = token_task(case), case.model("sdpa")
    layer = model.get_submodule("base_model.model.model.layers.0")
    layer.mlp = Fused(layer.mlp)
    adapter = adapter_of(model)
    direction = direction_of(adapter)
    batch = task.collate(case.rows[1:2])
    message = "^token scores take one backward pass a token: the model has a layer "
    with TokenProducts(model, adapter, task) as products:
        with pytest.warns(DatainfWarning, match=message):
            first, weights = products.along(batch, direction)
        again, _ = products.along(batch, direction)  # not told again
    assert torch.equal(first, again)
    assert torch.equal(weights > 0, first != 0)
    wanted = by_autograd(model, adapter, task, batch, direction)
    torch.testing.assert_close(first, wanted, rtol=1e-9, atol=0)


def test_a_fault_of_the_model_itself_is_passed_on(monkeypatch):
    case = CASES["prompts"]
    task, model = token_task(case), case.model("sdpa")
    adapter = adapter_of(model)

    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(model, "forward", broken)
    with (
        TokenProducts(model, adapter, task) as products,
        pytest.warns(DatainfWarning, match="one backward pass a token"),
        pytest.raises(RuntimeError, match=r"^broken$"),
    ):
        products.along(task.collate(case.rows[:1]), direction_of(adapter))


def test_no_memory_left_is_passed_on_as_it_came(monkeypatch):
    case = CASES["prompts"]
    task, model = token_task(case), case.model("sdpa")

    def full(*_args: object, **_kwargs: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(model, "forward", full)
    adapter = adapter_of(model)
    with (
        TokenProducts(model, adapter, task) as products,
        pytest.raises(torch.OutOfMemoryError),
    ):
        products.along(task.collate(case.rows[:1]), direction_of(adapter))


@pytest.mark.parametrize("fused", [False, True])
def test_the_model_is_the_same_to_the_bit_afterwards(fused):
    case = CASES["prompts"]
    task, model = token_task(case), case.model("sdpa").train()
    layer = model.get_submodule("base_model.model.model.layers.1")
    if fused:
        layer.mlp = Fused(layer.mlp)
    for inner in model.modules():
        if hasattr(inner, "gradient_checkpointing"):
            inner.gradient_checkpointing = True  # type: ignore[assignment]
    before, adapter = state_of(model), adapter_of(model)
    with (
        warnings.catch_warnings(action="ignore", category=DatainfWarning),
        TokenProducts(model, adapter, task) as products,
    ):
        products.along(task.collate(case.rows[:1]), direction_of(adapter))
        assert not any(module.training for module in model.modules())
    assert state_of(model) == before
