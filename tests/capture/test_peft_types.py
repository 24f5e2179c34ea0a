"""Every PEFT type against the autograd loop, on an encoder, a decoder and a seq2seq."""

import re
import warnings
from pathlib import Path

import peft
import pytest
import torch

from datainf.capture.session import CaptureSession
from datainf.core.errors import AdapterError, DatainfWarning
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import errors, keep_double, same, state_of
from tests.capture.peft_cases import (
    KINDS,
    PEFT_CASES,
    base_of,
    fresh_model,
    peft_model,
    task_and_rows,
)

# Never trained, although a cast by PEFT may switch its gradient on.
FIXED = "ranknum"


def skip_what_peft_cannot(name: str, kind: str) -> None:
    reason = PEFT_CASES[name].missing(kind)
    if reason is not None:
        pytest.skip(reason)


# A spectrum's gradient comes out of an FFT over a whole weight, whose float32 rounding
# differs between processors, in the slow twin too; float64 holds it to the bound.
ROUGH = {"FourierFT": 10.0}


@pytest.mark.parametrize("name", PEFT_CASES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("dtype", "bound", "attn", "side"),
    [
        (torch.float64, 1e-10, "sdpa", "right"),
        (torch.float64, 1e-10, "eager", "left"),
        (torch.float32, 1e-5, "eager", "right"),
    ],
)
def test_gradients_equal_the_autograd_loop_and_the_model_stays_as_it_was(
    name: str,
    kind: str,
    dtype: torch.dtype,
    bound: float,
    attn: str,
    side: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_double(monkeypatch, kind)
    skip_what_peft_cannot(name, kind)
    case = PEFT_CASES[name]
    if side == "left" and (kind == "encoder" or case.right_only):
        pytest.skip("padded on the right alone")
    model = peft_model(case, kind, dtype=dtype, attn=attn)
    task, rows = task_and_rows(case, kind, side)
    adapter = adapter_of(model)
    before = state_of(model)
    with CaptureSession(model, adapter, task) as session:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", DatainfWarning)
            session.probe(rows[:2])
        found = errors(model, adapter, task, rows, session=session)
    for parameter, flag in zip(model.parameters(), before["flags"], strict=True):
        parameter.requires_grad_(flag)  # the slow twin's doing
    assert same(before, state_of(model))
    if name in ROUGH and dtype is torch.float32:
        bound *= ROUGH[name]
    assert max(found.values()) <= bound, max(found, key=lambda n: found[n])
    for block, path in session.coverage.items():
        assert path.split()[0] == case.way(block), f"{block}: {path}"
    looped = [path for path in session.coverage.values() if path == "looped"]
    assert bool(looped) == bool(said)


@pytest.mark.parametrize("name", PEFT_CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_collected_is_what_peft_leaves_trainable(name: str, kind: str) -> None:
    skip_what_peft_cannot(name, kind)
    model = fresh_model(PEFT_CASES[name], kind)
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    trainable = {n for n in trainable if FIXED not in n}
    assert trainable
    assert {t.path for t in adapter_of(model).parameters} == trainable
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert {t.path for t in adapter_of(model).parameters} == trainable


@pytest.mark.parametrize("name", PEFT_CASES)
def test_a_loaded_adapter_has_the_gradients_of_the_one_that_was_saved(
    name: str, tmp_path: Path
) -> None:
    skip_what_peft_cannot(name, "decoder")
    case = PEFT_CASES[name]
    model = peft_model(case, "decoder", dtype=torch.float32)
    task, rows = task_and_rows(case, "decoder")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.save_pretrained(tmp_path, save_embedding_layers=False)
        loaded = peft.PeftModel.from_pretrained(base_of("decoder"), tmp_path).eval()
    adapter = adapter_of(loaded)
    before = state_of(loaded)
    with CaptureSession(loaded, adapter, task) as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DatainfWarning)
            session.probe(rows[:2])
        assert {t.parameter.requires_grad for t in adapter.parameters} == {False}
        found, losses = session.gradients(task.collate(rows))
    assert same(before, state_of(loaded))
    with CaptureSession(model, adapter_of(model), task) as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DatainfWarning)
            session.probe(rows[:2])
        right, right_losses = session.gradients(task.collate(rows))
    torch.testing.assert_close(losses, right_losses)
    if "projected" in name or name == "P-tuning":
        # What was saved is the finished prompt: it alone is left to train.
        assert [block.rsplit(".", 2)[1] for block in found] == ["embedding"]
    else:
        assert found.keys() == right.keys()
        for block, gradient in found.items():
            torch.testing.assert_close(gradient, right[block])


def test_prompt_learning_padded_on_the_left_is_refused() -> None:
    case = PEFT_CASES["Prompt tuning"]
    model = peft_model(case, "decoder")
    task, rows = task_and_rows(case, "decoder", "left")
    with (
        CaptureSession(model, adapter_of(model), task) as session,
        pytest.raises(
            AdapterError,
            match=re.escape(
                "the gradient of an example changes when it is padded: check the "
                "tokenizer's padding_side (BERT-like models and prompt learning need "
                "'right') and that the task masks padding."
            ),
        ),
    ):
        session.probe(rows[:2])
