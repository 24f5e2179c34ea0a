"""Adapters that cannot be attributed as they are: each refused in one line."""

import importlib.util
import re
import warnings
from typing import Any

import peft
import pytest
import torch
from torch import nn

from datainf.capture.session import CaptureSession
from datainf.core.errors import AdapterError, DatainfWarning
from datainf.integrations.peft import adapter_of
from tests.capture.comparing import errors, keep_double, same, state_of
from tests.capture.peft_cases import (
    PEFT_CASES,
    fresh_model,
    peft_config,
    peft_model,
    perturb,
    task_and_rows,
)
from tests.capture.seq2seq import Seq2SeqTask
from tests.cases import TokenTask, decoder, token_rows
from tests.tiny_models import tiny_llama, tiny_t5

IDLE = (
    "base_model.model.model.layers.0.self_attn.q_proj.{} and {} other parameters take "
    "no part in the losses, so they have no gradient; is adapter 'default' merged or "
    "switched off?"
)


@pytest.mark.parametrize("name", ["LoRA", "DoRA", "IA3", "LoHa"])
def test_a_merged_adapter_of_any_type_is_refused(name: str) -> None:
    model = peft_model(PEFT_CASES[name], "decoder")
    model.merge_adapter()
    pattern = (
        r"^adapter 'default' is merged into base_model\.model\.model\.layers\.0\.\S+ "
        r"and \d other modules, so it has no gradient there; call "
        r"model\.unmerge_adapter\(\) first, or unfuse_lora\(\) of a pipeline\.$"
    )
    with pytest.raises(AdapterError, match=pattern):
        adapter_of(model)


def test_an_adapter_that_is_merged_in_one_layer_alone_is_refused() -> None:
    model = decoder()
    path = "base_model.model.model.layers.0.self_attn.q_proj"
    layer: Any = model.get_submodule(path)
    layer.merge()
    message = (
        f"adapter 'default' is merged into {path}, so it has no gradient there; call "
        "model.unmerge_adapter() first, or unfuse_lora() of a pipeline."
    )
    with pytest.raises(AdapterError, match=f"^{re.escape(message)}$"):
        adapter_of(model)
    layer.unmerge()
    assert adapter_of(model).parameters


def test_a_disabled_adapter_is_refused() -> None:
    model = peft_model(PEFT_CASES["LoRA"], "decoder")
    task, rows = task_and_rows(PEFT_CASES["LoRA"], "decoder")
    refused = pytest.raises(
        AdapterError, match=f"^{re.escape(IDLE.format('lora_A.default.weight', 7))}$"
    )
    with (
        model.disable_adapter(),
        CaptureSession(model, adapter_of(model), task) as session,
        refused,
    ):
        session.probe(rows[:2])


def test_disabled_prompt_learning_is_refused() -> None:
    case = PEFT_CASES["Prompt tuning"]
    model = peft_model(case, "decoder")
    task, rows = task_and_rows(case, "decoder")
    refused = pytest.raises(
        AdapterError,
        match=(
            r"^prompt_encoder\.default\.embedding\.weight and 0 other parameters take "
            r"no part in the losses, so they have no gradient; is adapter 'default' "
            r"merged or switched off\?$"
        ),
    )
    with (
        model.disable_adapter(),
        CaptureSession(model, adapter_of(model), task) as session,
        refused,
    ):
        session.probe(rows[:2])


def test_an_adapter_beside_the_embeddings_that_t5_reads_is_refused() -> None:
    config = peft.LoraConfig(task_type="SEQ_2_SEQ_LM", r=2, target_modules=["shared"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PEFT's, of tied weights
        model = peft.get_peft_model(tiny_t5(), config).eval()
    with (
        CaptureSession(model, adapter_of(model), Seq2SeqTask()) as session,
        pytest.raises(
            AdapterError,
            match=(
                r"^base_model\.model\.shared\.lora_embedding_A\.default and 1 other "
                r"parameters take no part in the losses, so they have no gradient; is "
                r"adapter 'default' merged or switched off\?$"
            ),
        ),
    ):
        session.probe(token_rows("decoder")[:2])


def test_the_adapter_that_is_named_is_collected_and_the_active_one_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = peft_model(PEFT_CASES["LoRA"], "decoder")
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=3, target_modules=["k_proj"])
    model.add_adapter("second", config)
    for name, parameter in model.named_parameters():
        if ".second." in name:
            nn.init.normal_(parameter, std=0.2)
    model.double()
    keep_double(monkeypatch)
    task, rows = task_and_rows(PEFT_CASES["LoRA"], "decoder")
    adapter, before = adapter_of(model, "second"), state_of(model)
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        found = errors(model, adapter, task, rows, session=session)
    assert max(found.values()) <= 1e-10
    assert {name.split(".")[4] for name in found} == {"k_proj"}
    for parameter, flag in zip(model.parameters(), before["flags"], strict=True):
        parameter.requires_grad_(flag)
    assert same(before, state_of(model))


def test_weights_tied_between_embedding_and_head_add_both_parts() -> None:
    model = decoder(dtype=torch.float64)
    embedding = model.get_input_embeddings()
    model.get_output_embeddings().weight = embedding.weight
    embedding.weight.requires_grad_(True)
    adapter = adapter_of(model)
    (tied,) = [n for n in adapter.layout.names if "embed_tokens" in n]
    with CaptureSession(model, adapter, TokenTask()) as session:
        session.probe(token_rows("decoder")[:2])
        assert session.coverage[tied] == "rule Embedding and rule Linear"
        found = errors(
            model, adapter, TokenTask(), token_rows("decoder"), session=session
        )
    assert found[tied] <= 1e-10


class Int8(nn.Linear):
    """Holds its weight as bytes and a scale, as a quantised base does."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=False)
        scale = layer.weight.detach().abs().max() / 127
        self.scale = float(scale)
        self.weight = nn.Parameter(
            (layer.weight.detach() / scale).round().to(torch.int8), requires_grad=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.scale)


@pytest.mark.parametrize("name", ["LoRA", "IA3"])
def test_a_base_of_integers_is_right(name: str) -> None:
    base = tiny_llama()
    for layer in base.model.layers:
        layer.self_attn.q_proj = Int8(layer.self_attn.q_proj)
        layer.mlp.down_proj = Int8(layer.mlp.down_proj)
    case = PEFT_CASES[name]
    model = peft.get_peft_model(base, peft_config(case, "decoder")).eval()
    perturb(model, case.shift)
    task, rows = task_and_rows(case, "decoder")
    adapter = adapter_of(model)
    with CaptureSession(model, adapter, task) as session:
        session.probe(rows[:2])
        assert "looped" not in session.coverage.values()
        found = errors(model, adapter, task, rows, session=session)
    assert max(found.values()) <= 1e-5


@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed",
)
def test_a_layer_of_bitsandbytes_is_right() -> None:
    bnb: Any = importlib.import_module("bitsandbytes")
    base = tiny_llama()
    for layer in base.model.layers:
        plain = layer.self_attn.q_proj
        made = bnb.nn.Linear4bit(16, 16, bias=False)
        made.load_state_dict(plain.state_dict())
        layer.self_attn.q_proj = made
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])
    model = peft.get_peft_model(base.to("cpu"), config).eval()
    perturb(model, 0.1)
    task, rows = TokenTask(), token_rows("decoder")
    with CaptureSession(model, adapter_of(model), task) as session:
        session.probe(rows[:2])
        assert set(session.coverage.values()) == {"rule Linear"}


def test_an_adapter_of_fresh_zeros_is_collected_all_the_same() -> None:
    model = fresh_model(PEFT_CASES["LoRA"], "decoder").double().eval()
    task, rows = task_and_rows(PEFT_CASES["LoRA"], "decoder")
    with CaptureSession(model, adapter_of(model), task) as session:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DatainfWarning)
            session.probe(rows[:2])
        found, _ = session.gradients(task.collate(rows))
    # B is zero, so A has no gradient yet; B has.
    assert {float(g.abs().max()) > 0 for n, g in found.items() if "lora_A" in n} == {
        False
    }
    assert all(float(g.abs().max()) > 0 for n, g in found.items() if "lora_B" in n)
