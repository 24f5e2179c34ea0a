"""What an adapter trains, read off PEFT's own state."""

import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

import peft
import pytest
import torch
from torch import nn

from datainf.core.errors import AdapterError
from datainf.core.layout import TUNER
from datainf.integrations.peft import _name_of, adapter_of
from tests.cases import decoder, encoder
from tests.tiny_models import tiny_bert_classifier, tiny_llama, with_lora

HEAD = ["classifier.weight", "classifier.bias"]


def test_lora_and_head_are_found_by_names_without_the_wrapping() -> None:
    adapter = adapter_of(encoder())
    names = adapter.layout.names
    assert names[0] == "bert.encoder.layer.0.attention.self.query.lora_A.weight"
    assert len(names) == 2 * 2 * 2 + 2
    assert [n for n in names if "classifier" in n] == HEAD
    assert (adapter.name, adapter.task_type) == ("default", "SEQ_CLS")


def test_trained_means_what_the_adapter_trains_whatever_requires_grad_says(
    tmp_path: Path,
) -> None:
    model = decoder()
    model.save_pretrained(tmp_path)
    loaded = peft.PeftModel.from_pretrained(tiny_llama(), tmp_path)
    assert not any(p.requires_grad for p in loaded.parameters())
    assert adapter_of(loaded).layout == adapter_of(model).layout


def test_the_paper_takes_matrices_and_the_heads_last_weight() -> None:
    adapter = adapter_of(encoder(), parameters="paper")
    assert [n for n in adapter.layout.names if "lora" not in n] == ["classifier.weight"]
    assert ("classifier.bias", "parameters=paper") in adapter.left_out


def test_a_parameter_unfrozen_by_hand_counts_too() -> None:
    model = decoder()
    norm = model.get_submodule("base_model.model.model.norm")
    norm.weight.requires_grad_(True)
    assert adapter_of(model).layout.names[-1] == "model.norm.weight"


def test_another_adapter_is_left_out_by_name_and_the_active_one_comes_back() -> None:
    model = decoder()
    model.add_adapter("second", model.peft_config["default"])
    first, second = adapter_of(model), adapter_of(model, "second")
    assert first.layout == second.layout
    assert all(".second." in t.path for t in second.parameters)
    assert {reason for _, reason in second.left_out} == {"belongs to another adapter"}
    with second.activated():
        assert model.active_adapters == ["second"]
    assert model.active_adapters == ["default"]
    model.base_model.set_adapter(["default", "second"])
    with second.activated():
        assert model.active_adapters == ["second"]
    assert model.active_adapters == ["default", "second"]
    with pytest.raises(
        AdapterError,
        match=re.escape(
            "2 adapters are active (default, second); say which one with adapter_name=."
        ),
    ):
        adapter_of(model)


def test_a_model_without_an_adapter_is_refused() -> None:
    with pytest.raises(
        AdapterError,
        match=re.escape(
            "got a Linear without a PEFT adapter; load one with "
            "peft.PeftModel.from_pretrained(model, ADAPTER)."
        ),
    ):
        adapter_of(nn.Linear(2, 3))


def test_an_unknown_adapter_is_refused_with_the_near_one() -> None:
    with pytest.raises(
        AdapterError,
        match=re.escape(
            "adapter 'defualt' is unknown: expected one of: default; "
            "did you mean 'default'?"
        ),
    ):
        adapter_of(decoder(), "defualt")


def test_an_adapter_with_nothing_to_train_is_refused() -> None:
    model = with_lora(tiny_llama(), "CAUSAL_LM")
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if hasattr(child, "lora_A"):
                setattr(parent, name, child.base_layer)
    with pytest.raises(
        AdapterError, match="'default' of type LORA has nothing to train"
    ):
        adapter_of(model)


def test_the_scope_is_free_when_the_adapter_is_the_active_one() -> None:
    model = decoder()
    before = torch.cat([p.flatten() for p in model.parameters()])
    with adapter_of(model).activated():
        pass
    assert torch.equal(before, torch.cat([p.flatten() for p in model.parameters()]))


def test_a_head_saved_under_two_keys_is_collected_once() -> None:
    model = with_lora(tiny_bert_classifier(), "SEQ_CLS", bias="all")
    adapter = adapter_of(model)
    names = adapter.layout.names
    assert [n for n in names if "classifier" in n] == HEAD
    assert "bert.encoder.layer.0.attention.self.query.bias" in names
    assert not any("original_module" in t.path for t in adapter.parameters)
    assert [reason for _, reason in adapter.left_out] == ["saved but never trained"]


def test_an_adapter_may_be_named_like_a_part_of_a_path() -> None:
    model = decoder()
    model.add_adapter("model", model.peft_config["default"])
    model.set_adapter("default")
    model.get_submodule("base_model.model.model.norm").weight.requires_grad_(True)
    assert "model.norm.weight" in adapter_of(model).layout.names


def adalora(dtype: torch.dtype) -> peft.PeftModel:
    config = peft.AdaLoraConfig(
        task_type="CAUSAL_LM",
        init_r=3,
        target_r=2,
        total_step=99,
        tinit=9,
        tfinal=50,
        target_modules=["q_proj"],
    )
    return peft.get_peft_model(tiny_llama(dtype=dtype), config)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_adaloras_count_of_ranks_is_left_out_by_name(dtype: torch.dtype) -> None:
    model = adalora(dtype)
    for path, parameter in model.named_parameters():
        if "ranknum" in path:  # some versions of PEFT do, where they cast it
            parameter.requires_grad_(True)
    adapter = adapter_of(model)
    ends = {name.rpartition(".")[2] for name in adapter.layout.names}
    assert ends == {"lora_A", "lora_B", "lora_E"}
    place = "base_model.model.model.layers.{}.self_attn.q_proj.ranknum.default"
    assert adapter.left_out == tuple(
        (place.format(layer), "the rank, fixed by AdaLoRA") for layer in (0, 1)
    )


def test_a_pruned_adalora_loses_no_parameter() -> None:
    model = adalora(torch.float32)
    right = adapter_of(model)
    model.peft_config["default"].rank_pattern = {
        t.path.removeprefix("base_model.model."): [True, False, True]
        for t in right.parameters
        if "lora_E" in t.path
    }
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapter = adapter_of(model)
    assert adapter.layout == right.layout
    assert [t.path for t in adapter.parameters] == [t.path for t in right.parameters]


def test_two_adapted_parameters_of_one_module_keep_names_of_their_own() -> None:
    outer, inner = (
        f"base_model.model.experts.{wrapped}lora_A.weight"
        for wrapped in ("", "base_layer.")
    )
    assert _name_of(outer) == "experts.lora_A.weight"
    assert _name_of(inner) == "experts.base_layer.lora_A.weight"
    assert _name_of("base_model.model.q.base_layer.bias") == "q.bias"


def test_the_tensors_of_every_tuner_are_known_by_their_names() -> None:
    names = set()
    for found in pkgutil.iter_modules(peft.tuners.__path__):
        inside = f"peft.tuners.{found.name}.layer"
        if not found.ispkg or importlib.util.find_spec(inside) is None:
            continue
        layers = importlib.import_module(inside)
        for kind in vars(layers).values():
            names |= set(getattr(kind, "adapter_layer_names", None) or ())
    assert "lora_A" in names
    assert {name for name in names if not TUNER.match(name)} == set()
