"""Bases in 8 and 4 bits: how they are loaded, known, trained, and what is refused."""

import re

import peft
import pytest
import torch
from transformers import LlamaConfig

from datainf.core.errors import AdapterError, OptionError
from datainf.core.options import Precision
from datainf.core.recipe import Recipe
from datainf.integrations import precision as module
from datainf.integrations.adapters import load_adapter
from datainf.integrations.base_models import load_base
from datainf.integrations.fingerprint import hash_base
from datainf.integrations.peft import adapter_of
from datainf.integrations.precision import loading_options
from datainf.integrations.pristine import PristineBase
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.trainer import train
from tests.quantised import needs_bitsandbytes, put_wide_base, quantised
from tests.tiny_models import tiny_tokenizer

IDS = torch.tensor([[2, 5, 7, 11, 13]])
ROWS = [{"prompt": f"{i}+1=", "completion": str(i + 1)} for i in range(5)]
RECIPE = Recipe(
    peft={"r": 2, "target_modules": ["q_proj"]},
    training={
        "num_train_epochs": 1,
        "per_device_train_batch_size": 3,
        "use_cpu": True,
        "learning_rate": 1e-2,
    },
)


def refused(message, kind=OptionError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return put_wide_base(tmp_path_factory.mktemp("wide"))


def with_lora(model):
    return peft.get_peft_model(
        model, peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])
    )


def fingerprint(model):
    adapted = with_lora(model)
    return hash_base(adapted, adapter_of(adapted))


# --- loading ------------------------------------------------------------------------


@needs_bitsandbytes
@pytest.mark.parametrize(
    ("precision", "kind"), [("int8", torch.int8), ("int4", torch.uint8)]
)
def test_linear_layers_are_quantised_and_the_rest_is_float32(base, precision, kind):
    model = quantised(base, precision)
    kinds = {name: p.dtype for name, p in model.named_parameters()}
    inner = {name for name in kinds if "_proj" in name}
    assert inner
    assert {kinds[name] for name in inner} == {kind}
    assert {kinds[name] for name in kinds.keys() - inner} == {torch.float32}


@needs_bitsandbytes
def test_a_new_head_stays_a_float_and_comes_from_the_seed(base):
    task = SequenceClassification(tiny_tokenizer())
    heads = [
        load_base(base, task, 3, seed=seed, precision="int8").score.weight
        for seed in (1, 1, 2)
    ]
    assert heads[0].dtype == torch.float32
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@needs_bitsandbytes
@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_a_base_saved_in_its_bits_is_loaded_as_it_is(base, tmp_path, precision):
    before = quantised(base, precision)
    before.save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    with_lora(before).save_pretrained(tmp_path / "adapter")
    for asked in ("float32", precision):
        found, _ = load_adapter(
            str(tmp_path / "adapter"), base=str(tmp_path / "base"), precision=asked
        )
        assert type(found.base_model.model.lm_head).__name__ == "Linear"
        assert torch.equal(found(input_ids=IDS).logits, before(input_ids=IDS).logits)


@needs_bitsandbytes
def test_inference_does_not_rewrite_a_base_of_four_bits(base):
    model = quantised(base, "int4")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        model(input_ids=IDS)
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


# --- fingerprints -------------------------------------------------------------------


@needs_bitsandbytes
def test_a_fingerprint_tells_the_bits_and_their_scales(base, tmp_path):
    scaled = put_wide_base(tmp_path, scale=2.0)  # the same bits, other scales
    names = ("float32", "int8", "int4")
    found = [fingerprint(quantised(base, name)) for name in names]
    found += [fingerprint(quantised(scaled, name)) for name in names[1:]]
    assert len(set(found)) == len(found)


@needs_bitsandbytes
@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_a_fingerprint_does_not_change_with_use(base, precision):
    model = quantised(base, precision)
    before = fingerprint(model)
    with torch.no_grad():
        model(input_ids=IDS)
    assert fingerprint(quantised(base, precision)) == before
    model = with_lora(quantised(base, precision))
    model(input_ids=IDS).logits.sum().backward()
    assert hash_base(model, adapter_of(model)) == before


# --- training -----------------------------------------------------------------------


@needs_bitsandbytes
@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_retraining_on_the_same_base_gives_the_same_adapter(base, precision):
    kept = PristineBase(quantised(base, precision))
    found = []
    for _ in range(2):
        model = train(kept.model, ROWS, CausalLM(tiny_tokenizer()), RECIPE)
        with torch.no_grad():
            model(input_ids=IDS)  # as its losses are taken
        found.append({n: p.detach().clone() for n, p in model.named_parameters()})
        kept.restore(model)
    assert any("lora_" in name for name in found[0])
    assert all(torch.equal(found[1][name], value) for name, value in found[0].items())


# --- refusals -----------------------------------------------------------------------


@pytest.mark.parametrize("saved", [False, True])
def test_bitsandbytes_is_asked_for_where_it_is_missing(monkeypatch, saved):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    config = LlamaConfig()
    said, asked = "precision='int8'", Precision.INT8
    if saved:
        config.quantization_config = {"quant_method": "bitsandbytes"}
        said, asked = "the base was saved in 8 or 4 bits, which", Precision.FLOAT32
    with refused(f"{said} needs bitsandbytes: pip install 'datainf[quantized]'."):
        loading_options(asked, config)


def test_a_transformers_that_cannot_use_it_is_refused(monkeypatch):
    monkeypatch.setattr(module, "version", lambda _: "4.49.0")
    monkeypatch.setattr(module, "find_spec", lambda _: True)
    with refused(
        "precision='int4' needs transformers 4.53 or later, got 4.49.0; pip install "
        "-U transformers."
    ):
        loading_options(Precision.INT4, LlamaConfig())


@pytest.mark.parametrize(
    "held", [{"quant_method": "gptq", "bits": 4}, {"load_in_8bit": True}]
)
def test_other_bits_than_those_on_disk_are_refused(monkeypatch, held):
    monkeypatch.setattr(module, "version", lambda _: "5.23.0")
    monkeypatch.setattr(module, "find_spec", lambda _: True)
    config = LlamaConfig()
    config.quantization_config = held
    with refused(
        "precision='int4', but the base is quantised already "
        f"({held.get('quant_method', 'bitsandbytes')}); leave precision out, and it "
        "is loaded as it is."
    ):
        loading_options(Precision.INT4, config)
    assert "quantization_config" not in loading_options(Precision.FLOAT32, config)


@needs_bitsandbytes
def test_a_quantised_module_is_not_trained_whole(base):
    with refused(
        "model.layers.0.mlp.down_proj is to be trained whole (modules_to_save), but is "
        "quantised: its weight is torch.int8; adapt it with target_modules instead, or "
        "load the base in float32.",
        AdapterError,
    ):
        quantised(base, "int8", trained=["down_proj"])
