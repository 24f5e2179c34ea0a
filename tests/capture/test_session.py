"""Captured gradients against a batch-of-one autograd loop; the model stays as it is."""

import re
import warnings
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn

from datainf.capture.session import CaptureSession
from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.errors import DatainfWarning
from datainf.core.layout import Block
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import (
    errors,
    keep_double,
    relative_error,
    same,
    state_of,
)
from tests.capture.odd_models import Odd, OddTask, odd
from tests.cases import CASES, TokenTask, decoder, encoder, token_rows
from tests.reference_gradients import gradients_one_by_one


@pytest.fixture(autouse=True)
def _honest(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_double(monkeypatch)


def compare(
    model: nn.Module, task: Any, rows: list[Any], batches: list[list[int]]
) -> float:
    adapter = adapter_of(model)
    return max(errors(model, adapter, task, rows, batches=batches).values())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("attn", ["sdpa", "eager"])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)]
)
def test_gradients_equal_the_autograd_loop(
    case: str, attn: str, side: str, dtype: torch.dtype, bound: float
) -> None:
    kind, make = CASES[case]
    if (kind, side) == ("encoder", "left"):
        pytest.skip(
            "BERT reads its class from the first token, so it pads on the right"
        )
    model = make(dtype=dtype, attn=attn)
    batches = [[2, 0, 6], [1], [5, 3, 4]]
    assert compare(model, TokenTask(side), token_rows(kind), batches) <= bound


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_gradients_do_not_depend_on_the_batch_size(case: str, size: int) -> None:
    kind, make = CASES[case]
    batches = [list(range(7))[i : i + size] for i in range(0, 7, size)]
    model = make(dtype=torch.float64)
    assert compare(model, TokenTask(), token_rows(kind), batches) <= 1e-10


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-10)]
)
def test_gradient_checkpointing_gives_the_same_and_is_really_used(
    case: str, reentrant: bool, dtype: torch.dtype, bound: float
) -> None:
    kind, make = CASES[case]
    model, task, rows = make(dtype=dtype), TokenTask(), token_rows(kind)
    adapter = adapter_of(model)
    with CaptureSession(model, adapter, task) as session:
        plain, _ = session.gradients(task.collate(rows))
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    model.train()
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        again, _ = session.gradients(task.collate(rows))
        assert session._recorder.recomputed
    assert model.training
    assert max(relative_error(again[n], plain[n]) for n in plain) <= bound


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_model_is_bit_identical_afterwards_on_any_exit(
    case: str, training: bool, fails: bool
) -> None:
    kind, make = CASES[case]
    model, task, rows = make(), TokenTask(), token_rows(kind)
    model.train(training)
    for i, parameter in enumerate(model.parameters()):
        parameter.requires_grad_(i % 3 == 0)
        if i % 5 == 0:
            parameter.grad = torch.full_like(parameter, 0.5)
    adapter = adapter_of(model)
    before = state_of(model)
    outcome = pytest.raises(KeyError, match="stop") if fails else nullcontext()
    with outcome, CaptureSession(model, adapter, task) as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DatainfWarning)
            session.probe(rows[:2])
        session.gradients(task.collate(rows))
        if fails:
            raise KeyError("stop")
    assert same(before, state_of(model))


def test_dropout_is_off_whatever_the_mode() -> None:
    model, task, rows = encoder(), TokenTask(), token_rows("encoder")
    adapter = adapter_of(model)
    found = []
    for mode in (True, False):
        model.train(mode)
        with CaptureSession(model, adapter, task) as session:
            found.append(session.gradients(task.collate(rows))[0])
    assert same(found[0], found[1])


def test_the_same_batches_give_the_same_bits() -> None:
    model, task, rows = decoder(), TokenTask(), token_rows("decoder")
    runs = []
    for _ in range(2):
        with CaptureSession(model, adapter_of(model), task) as session:
            runs.append(session.gradients(task.collate(rows)))
    assert same(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])


def test_losses_are_the_tasks_own() -> None:
    model, task, rows = decoder(), TokenTask(), token_rows("decoder")
    batch = task.collate(rows)
    with CaptureSession(model, adapter_of(model), task) as session:
        _, losses = session.gradients(batch)
    torch.testing.assert_close(losses, task.losses(model, batch).detach())


def test_an_autocast_scope_is_honoured() -> None:
    model, task, rows = decoder(), TokenTask(), token_rows("decoder")
    adapter = adapter_of(model)
    with CaptureSession(model, adapter, task) as session:
        plain, _ = session.gradients(task.collate(rows))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low, _ = session.gradients(task.collate(rows))
            parameters = {t.block.name: t.parameter for t in adapter.parameters}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        right = gradients_one_by_one(model, task, rows, parameters)
    for name in plain:
        assert low[name].dtype == torch.float32
        assert 0 < relative_error(low[name], plain[name]) < 0.2
        assert relative_error(low[name], right[name]) < 0.05


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_model_that_autocasts_itself_keeps_its_rules(checkpointed: bool) -> None:
    """As accelerate leaves a model that a Trainer with bf16=True has trained."""
    model, task, rows = decoder(), TokenTask(), token_rows("decoder")
    adapter = adapter_of(model)
    parameters = {t.block.name: t.parameter for t in adapter.parameters}
    exact = gradients_one_by_one(model, task, rows, parameters)
    if checkpointed:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.forward = torch.autocast("cpu", dtype=torch.bfloat16)(model.forward)
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        assert set(session.coverage.values()) == {"rule Linear"}
        found, _ = session.gradients(task.collate(rows))
        right = gradients_one_by_one(model, task, rows, parameters)
    for name in parameters:
        # What bfloat16 rounds away is far more than the rules and autograd differ by.
        assert relative_error(found[name], right[name]) < 0.02
        assert 1e-4 < relative_error(found[name], exact[name]) < 0.1


def test_a_parameter_that_no_rule_fits_is_looped_and_named() -> None:
    model, adapter, batch = odd("read")
    with CaptureSession(model, adapter, OddTask()) as session:
        said = pytest.warns(
            DatainfWarning,
            match=re.escape(
                "1 of 4 blocks have no rule and take the looped path, one backward "
                "pass an example: inner.weight."
            ),
        )
        with said:
            session.probe([{"x": x} for x in batch["x"][:2]])


@pytest.mark.parametrize(
    ("way", "looped"),
    [
        ("once", set()),
        ("twice", set()),
        ("keyword", set()),
        ("folded", {"inner.weight", "inner.bias"}),
        ("read", {"inner.weight"}),
        ("mixed", {"inner.weight", "inner.bias"}),
    ],
)
def test_a_layer_used_in_an_odd_way_is_right_or_looped(
    way: str, looped: set[str]
) -> None:
    model, adapter, batch = odd(way)
    task = OddTask()
    with CaptureSession(model, adapter, task) as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DatainfWarning)
            session.probe([{"x": x} for x in batch["x"][:2]])
        assert {n for n, p in session.coverage.items() if p == "looped"} == looped
        found, _ = session.gradients(batch)
    for i in range(7):
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        loss = task.losses(model, {"x": batch["x"][i : i + 1]}).sum()
        right = torch.autograd.grad(loss, list(model.parameters()))
        for (name, _), gradient in zip(model.named_parameters(), right, strict=True):
            torch.testing.assert_close(found[name][i], gradient.flatten())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rules_hold_in_half_precision_too(dtype: torch.dtype) -> None:
    model, task, rows = decoder(dtype=dtype), TokenTask(), token_rows("decoder")
    with CaptureSession(model, adapter_of(model), task) as session:
        session.probe(rows[:2])
        assert set(session.coverage.values()) == {"rule Linear"}
        found, _ = session.gradients(task.collate(rows))
    assert {gradient.dtype for gradient in found.values()} == {torch.float32}


def test_a_layer_followed_by_an_operation_in_place_is_right() -> None:
    class InPlace(Odd):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(torch.relu_(self.inner(x))).sum(1)

    model, task = InPlace("once"), OddTask()
    trained = tuple(
        TrainedParameter(Block(n, tuple(p.shape)), p, n)
        for n, p in model.named_parameters()
    )
    x = torch.randn(7, 2, 5, dtype=torch.float64)
    with CaptureSession(model, Adapter("odd", trained), task) as session:
        session.probe([{"x": x[0]}, {"x": x[1]}])
        found, _ = session.gradients({"x": x})
    parameters = dict(model.named_parameters())
    right = gradients_one_by_one(model, task, [{"x": one} for one in x], parameters)
    assert max(relative_error(found[n], right[n]) for n in right) <= 1e-10


def test_batches_made_in_inference_mode_work() -> None:
    model, task, rows = decoder(), TokenTask(), token_rows("decoder")
    with CaptureSession(model, adapter_of(model), task) as session:
        plain, _ = session.gradients(task.collate(rows))
        with torch.inference_mode():
            same_again, _ = session.gradients(task.collate(rows))
    assert same(plain, same_again)


def test_a_float64_model_whose_softmax_is_float32_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()  # the eager attention as transformers has it
    model, task, rows = decoder(attn="eager"), TokenTask(), token_rows("decoder")
    with CaptureSession(model.double(), adapter_of(model), task) as session:
        session.probe(rows[:2])
    assert set(session.coverage.values()) == {"rule Linear"}
