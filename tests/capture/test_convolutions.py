"""LoRA on convolutions, and on GPT-2's linear layers that are called Conv1D."""

from typing import Any

import peft
import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, GPT2Config

from datainf.capture.session import CaptureSession
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import errors, keep_double
from tests.capture.odd_models import OddTask
from tests.capture.peft_cases import perturb
from tests.cases import TokenTask, token_rows
from tests.tiny_models import VOCAB


class Images(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.second = nn.Conv2d(5, 7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x))).flatten(1)


@pytest.mark.parametrize("dora", [False, True])
def test_lora_and_dora_on_two_dimensional_convolutions(dora: bool) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = peft.LoraConfig(
            r=2, target_modules=["first"], modules_to_save=["second"], use_dora=dora
        )
        model = peft.get_peft_model(Images(), config)
        perturb(model, 0.1)
        model.double().eval()
        rows = [{"x": torch.randn(3, 9, 9, dtype=torch.float64)} for _ in range(7)]
    adapter, task = adapter_of(model), OddTask()
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        ways = {n: p for n, p in session.coverage.items() if "magnitude" not in n}
        assert set(ways.values()) == {"rule Conv2d"}
        found = errors(model, adapter, task, rows, session=session)
    assert max(found.values()) <= 1e-10


@pytest.mark.parametrize("options", [{}, {"modules_to_save": ["c_proj"]}])
def test_gpt2(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    keep_double(monkeypatch)
    shape = GPT2Config(vocab_size=VOCAB, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        base = AutoModelForCausalLM.from_config(shape, attn_implementation="eager")
        config = peft.LoraConfig(
            task_type="CAUSAL_LM",
            r=2,
            target_modules=["c_attn"],
            fan_in_fan_out=True,
            **options,
        )
        model = peft.get_peft_model(base, config)
    perturb(model, 0.1)
    model.double().eval()
    adapter, task, rows = adapter_of(model), TokenTask(), token_rows("decoder")
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        assert "looped" not in session.coverage.values()
        found = errors(model, adapter, task, rows, session=session)
    assert max(found.values()) <= 1e-10
