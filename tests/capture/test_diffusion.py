"""Denoisers and text encoders of diffusers: every block by rule, as autograd has it."""

from typing import Any

import pytest
import torch

pytest.importorskip(
    "diffusers.models", reason="not with these versions", exc_type=ImportError
)

from datainf.capture.session import CaptureSession
from datainf.core.errors import AdapterError
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import errors, keep_double, same, state_of
from tests.capture.diffusion_models import (
    BATCHES,
    DENOISERS,
    Denoise,
    adapted,
    pictures,
)


@pytest.mark.parametrize("kind", DENOISERS)
@pytest.mark.parametrize(
    ("dtype", "bound", "together"),
    [(torch.float32, 1e-5, True), (torch.float64, 1e-10, False)],
)
def test_every_block_equals_the_autograd_loop(
    kind: str,
    dtype: torch.dtype,
    bound: float,
    together: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_double(monkeypatch, "seq2seq")
    model = adapted(kind).to(dtype)
    task = Denoise(steps=3 if together else 2, together=together)
    # A block that took the looped path would be named in a warning.
    found = errors(model, adapter_of(model), task, pictures(dtype), batches=BATCHES)
    assert max(found.values()) <= bound


@pytest.mark.parametrize("kind", DENOISERS)
def test_fused_projections_equal_the_autograd_loop(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_double(monkeypatch, "seq2seq")
    model, task = adapted(kind, fused=True).double(), Denoise(steps=2)
    adapter = adapter_of(model)
    assert any(".to_qkv." in name for name in adapter.layout.names)
    rows = pictures(torch.float64)
    assert max(errors(model, adapter, task, rows, batches=BATCHES).values()) <= 1e-10


def test_an_adapter_that_was_fused_away_is_refused() -> None:
    model = adapted("unet")
    # As diffusers does it: the new layer is made of the weights without their LoRA.
    model.get_base_model().denoiser.fuse_qkv_projections()
    with (
        CaptureSession(model, adapter_of(model), Denoise(steps=1)) as session,
        pytest.raises(AdapterError, match="take no part in the losses"),
    ):
        session.probe(pictures(torch.float32)[:2])


@pytest.mark.parametrize(
    ("lora", "ways"),
    [
        ({"use_dora": True}, {"replay DoraConv2dLayer", "replay DoraLinearLayer"}),
        ({"bias": "lora_only"}, set()),
        ({"modules_to_save": ["conv_norm_out"]}, {"replay GroupNorm"}),
    ],
)
def test_dora_biases_and_norms_are_never_looped(
    lora: dict[str, Any], ways: set[str]
) -> None:
    model = adapted("unet", only=("resnets", "to_q"), lora=lora).double()
    adapter, task = adapter_of(model), Denoise(steps=2)
    rows = pictures(torch.float64)
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        found = errors(model, adapter, task, rows, session=session, batches=BATCHES)
    assert max(found.values()) <= 1e-10
    assert set(session.coverage.values()) == {"rule Linear", "rule Conv2d"} | ways


def test_checkpointed_blocks_are_computed_again_and_give_the_same() -> None:
    model, task = adapted("unet", only=("resnets", "to_q")).double(), Denoise(steps=2)
    adapter, rows = adapter_of(model), pictures(torch.float64)
    model.get_base_model().denoiser.enable_gradient_checkpointing()
    with CaptureSession(model, adapter, task) as session:
        found = errors(model, adapter, task, rows, session=session, batches=BATCHES)
        assert session._recorder.recomputed
    assert max(found.values()) <= 1e-10


@pytest.mark.parametrize("kind", DENOISERS)
def test_the_probe_finds_a_rule_for_every_block(kind: str) -> None:
    model = adapted(kind)
    before = state_of(model)
    with CaptureSession(model, adapter_of(model), Denoise(steps=2)) as session:
        session.probe(pictures(torch.float32)[:2])
    convolutions = set() if kind == "flux" else {"rule Conv2d"}
    assert set(session.coverage.values()) == {"rule Linear"} | convolutions
    assert same(before, state_of(model))
