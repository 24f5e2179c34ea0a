"""What a capture session refuses, before it would give a wrong gradient."""

import re
from typing import Any

import pytest
import torch
from torch import nn

from datainf.capture.session import CaptureSession
from datainf.core.adapter import Adapter
from datainf.core.errors import AdapterError, DatainfWarning, NonFiniteError
from datainf.integrations.peft import adapter_of
from tests.capture.odd_models import OddTask, odd
from tests.cases import TokenTask, decoder, encoder, token_rows


def test_a_merged_adapter_is_refused_before_any_work() -> None:
    model, task, rows = decoder(), TokenTask(), token_rows("decoder")
    adapter = adapter_of(model)
    model.merge_adapter()
    with CaptureSession(model, adapter, task) as session:
        with pytest.raises(AdapterError, match="merged or switched off"):
            session.probe(rows[:2])
        with pytest.raises(AdapterError, match="took no part in the forward pass"):
            session.gradients(task.collate(rows[:2]))


def test_losses_of_another_shape_are_refused() -> None:
    class Summed(TokenTask):
        def losses(self, model: nn.Module, batch: Any) -> torch.Tensor:
            return super().losses(model, batch).sum()

    model, rows = decoder(), token_rows("decoder")
    with (
        CaptureSession(model, adapter_of(model), Summed()) as session,
        pytest.raises(AdapterError, match=re.escape("have shape [], expected one")),
    ):
        session.gradients(TokenTask().collate(rows[:2]))


def test_an_adapter_without_parameters_is_refused() -> None:
    with pytest.raises(AdapterError, match="'none' has no trained parameter"):
        CaptureSession(nn.Linear(2, 3), Adapter("none", ()), TokenTask())


def test_checkpointing_that_saves_nothing_is_said() -> None:
    model, adapter, batch = odd("once")
    model.gradient_checkpointing = True
    with (
        CaptureSession(model, adapter, OddTask()) as session,
        pytest.warns(DatainfWarning, match="it saves no memory here"),
    ):
        session.probe([{"x": x} for x in batch["x"][:2]])


def test_a_loss_that_depends_on_padding_is_refused() -> None:
    model, task, rows = encoder(), TokenTask("left"), token_rows("encoder")
    with (
        CaptureSession(model, adapter_of(model), task) as session,
        pytest.raises(AdapterError, match=r"changes when it is padded.*padding_side"),
    ):
        session.probe(rows[:2])


def test_a_session_is_used_inside_its_scope_and_entered_once() -> None:
    model, task, rows = decoder(), TokenTask(), token_rows("decoder")
    session = CaptureSession(model, adapter_of(model), task)
    with pytest.raises(RuntimeError, match="enter the capture session first"):
        session.gradients(task.collate(rows))
    with session, pytest.raises(RuntimeError, match="is entered already"):
        session.__enter__()


def test_an_adapter_of_another_model_object_is_refused() -> None:
    with pytest.raises(AdapterError, match="other parameters are not in this model"):
        CaptureSession(decoder(), adapter_of(decoder()), TokenTask())


def test_a_loss_that_depends_on_the_others_of_its_batch_is_refused() -> None:
    class Coupled(TokenTask):
        def losses(self, model: nn.Module, batch: Any) -> torch.Tensor:
            return super().losses(model, batch) / (batch["labels"] != -100).sum()

    model, rows = decoder(), token_rows("decoder")
    with (
        CaptureSession(model, adapter_of(model), Coupled()) as session,
        pytest.raises(AdapterError, match="the loss of an example depends on its"),
    ):
        session.probe(rows[:2])


def test_a_model_with_nan_weights_is_refused_by_its_losses() -> None:
    model, rows = decoder(), token_rows("decoder")
    model.get_submodule("base_model.model.model.norm").weight.data.fill_(float("nan"))
    with (
        CaptureSession(model, adapter_of(model), TokenTask()) as session,
        pytest.raises(NonFiniteError, match="the losses of the first examples are"),
    ):
        session.probe(rows[:2])
