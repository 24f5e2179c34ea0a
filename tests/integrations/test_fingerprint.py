"""Fingerprints change exactly when what they stand for changes."""

import re

import numpy as np
import peft
import pytest
import torch
from PIL import Image
from torch import nn

from datainf.core.errors import DataError
from datainf.integrations.fingerprint import (
    hash_adapter,
    hash_base,
    hash_module,
    hash_row,
    identify,
)
from datainf.integrations.peft import adapter_of
from tests.cases import TokenTask, decoder, encoder
from tests.tiny_models import tiny_llama


def test_a_row_hash_depends_on_every_value_and_not_on_column_order() -> None:
    row = {"text": "a\x00\ud800", "label": np.int64(3), "ids": torch.tensor([1, 2])}
    same = {"ids": [1, 2], "label": 3, "text": "a\x00\ud800"}
    assert hash_row(row) == hash_row(same)
    assert hash_row(row) != hash_row({**same, "label": 4})
    assert hash_row({"x": b"ab"}) != hash_row({"x": b"ac"})


def test_images_of_other_colours_or_another_way_up_are_others() -> None:
    plain, recoloured = (Image.new("P", (2, 3), 1) for _ in range(2))
    plain.putpalette([0, 0, 0, 255, 0, 0])
    recoloured.putpalette([0, 0, 0, 0, 255, 0])
    assert hash_row({"image": plain}) == hash_row({"image": plain.copy()})
    assert hash_row({"image": plain}) != hash_row({"image": recoloured})
    lying, upright = (Image.new("RGB", (2, 3)) for _ in range(2))
    lying.getexif()[0x0112] = 6
    assert hash_row({"image": lying}) != hash_row({"image": upright})


def test_a_value_without_a_fixed_form_is_refused() -> None:
    with pytest.raises(
        DataError,
        match=re.escape(
            "an example cannot be fingerprinted: a value of type object has no fixed "
            "form."
        ),
    ):
        hash_row({"x": object()})


def test_the_base_hash_is_the_same_for_every_adapter_on_it() -> None:
    model, other = encoder(), encoder()
    for name, parameter in other.named_parameters():
        if "lora" in name or "modules_to_save" in name or "original_module" in name:
            torch.nn.init.normal_(parameter)
    assert hash_base(model, adapter_of(model)) == hash_base(other, adapter_of(other))
    assert hash_adapter(model, adapter_of(model)) != hash_adapter(
        other, adapter_of(other)
    )


def test_one_changed_base_weight_of_a_small_tensor_is_noticed() -> None:
    model = decoder()
    before = hash_base(model, adapter_of(model))
    model.get_submodule("base_model.model.model.norm").weight.data += 1e-6
    assert hash_base(model, adapter_of(model)) != before


def test_one_changed_adapter_entry_or_scaling_is_noticed() -> None:
    model = decoder()
    adapter = adapter_of(model)
    before = hash_adapter(model, adapter)
    adapter.parameters[0].parameter.data[0, 0] += 1e-6
    changed = hash_adapter(model, adapter)
    assert changed != before
    for module in model.modules():
        if isinstance(getattr(module, "scaling", None), dict):
            module.scaling["default"] *= 2
    assert hash_adapter(model, adapter) != changed


def test_the_base_hash_depends_on_dtype() -> None:
    single, double = decoder(), decoder(dtype=torch.float64)
    assert hash_base(single, adapter_of(single)) != hash_base(
        double, adapter_of(double)
    )


def test_meta_and_empty_tensors_count_by_name_and_shape() -> None:
    model = decoder()
    before = hash_base(model, adapter_of(model))
    model.register_buffer("empty", torch.zeros(0))
    one = hash_base(model, adapter_of(model))
    model.register_buffer("far", torch.zeros(3, device="meta"))
    assert len({before, one, hash_base(model, adapter_of(model))}) == 3


def test_an_identity_names_base_adapter_task_and_data() -> None:
    model = decoder()
    made = identify(model, adapter_of(model), TokenTask(), ["a", "b"], {"base": "tiny"})
    again = identify(
        model, adapter_of(model), TokenTask(), ["b", "a"], {"base": "other"}
    )
    assert made.differences(again) == ["other data"]
    assert made.task == {"name": "tokens"}
    assert made.about == {"base": "tiny"}


def test_what_the_adapter_saves_without_being_collected_counts_too() -> None:
    model = encoder()
    before = hash_adapter(model, adapter_of(model, parameters="paper"))
    head = model.get_submodule("base_model.model.classifier.modules_to_save.default")
    head.bias.data += 1.0
    assert hash_adapter(model, adapter_of(model, parameters="paper")) != before


def test_ways_to_run_and_other_adapters_leave_the_base_as_it_is() -> None:
    model = decoder()
    before = hash_base(model, adapter_of(model))
    model.config.use_cache = False
    model.config.problem_type = "single_label_classification"
    model.add_adapter("second", model.peft_config["default"])
    assert hash_base(model, adapter_of(model, "default")) == before


def test_what_an_adapter_reads_without_training_it_is_noticed() -> None:
    def hashes(key: int) -> tuple[str, str]:
        config = peft.VeraConfig(
            task_type="CAUSAL_LM",
            r=2,
            target_modules=["q_proj"],
            projection_prng_key=key,
            init_weights=True,
        )
        model = peft.get_peft_model(tiny_llama(), config)
        adapter = adapter_of(model)
        return hash_base(model, adapter), hash_adapter(model, adapter)

    assert hashes(1) == hashes(1)
    assert hashes(1)[0] == hashes(2)[0]
    assert hashes(1)[1] != hashes(2)[1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"scaling": 150.0}, {"scaling": 10.0}),
        ({"random_loc_seed": 1}, {"random_loc_seed": 2}),
    ],
    ids=lambda one: next(iter(one)),
)
def test_what_only_the_config_of_an_adapter_says_is_noticed(
    first: dict[str, float], second: dict[str, float]
) -> None:
    def hashed(choice: dict[str, float]) -> str:
        config = peft.FourierFTConfig(
            n_frequency=5, target_modules=["q_proj"], task_type="CAUSAL_LM", **choice
        )
        model = peft.get_peft_model(tiny_llama(), config)
        for parameter in model.parameters():
            torch.nn.init.constant_(parameter, 0.5)
        return hash_adapter(model, adapter_of(model))

    assert hashed(first) == hashed(first)
    assert hashed(first) != hashed(second)


def test_a_module_is_known_by_its_choices_and_its_weights():
    first = nn.Linear(2, 3)
    known = hash_module(first, {"a": (1, 2)})
    assert hash_module(first, {"a": [1, 2]}) == known
    assert hash_module(first, {"a": [1, 3]}) != known
    with torch.no_grad():
        first.bias[1] += 1
    assert hash_module(first, {"a": (1, 2)}) != known
