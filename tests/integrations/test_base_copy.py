"""A copy of a base without dropout: same weights and tokenizer, nothing dropped."""

import pytest
import torch
from transformers import AutoModel

from datainf.core.errors import AdapterError
from datainf.integrations import base_copy
from datainf.integrations.base_copy import copy_without_dropout
from datainf.integrations.base_models import load_config, load_tokenizer
from tests.experiments.places import tiny_base


def test_the_copy_drops_nothing_and_is_else_the_same(tmp_path):
    base = tiny_base(tmp_path / "base")
    above = copy_without_dropout(str(base), tmp_path / "copy")
    assert above == ("hidden_dropout_prob", "attention_probs_dropout_prob")
    config = load_config(str(tmp_path / "copy"))
    assert {getattr(config, entry) for entry in above} == {0.0}
    first, second = (AutoModel.from_pretrained(tmp_path / n) for n in ("base", "copy"))
    assert first.state_dict().keys() == second.state_dict().keys()
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
    text = "a fine film"
    assert load_tokenizer(str(base))(text) == load_tokenizer(str(tmp_path / "copy"))(
        text
    )


def test_two_passes_in_training_are_equal(tmp_path):
    base = tiny_base(tmp_path / "base")
    copy_without_dropout(str(base), tmp_path / "copy")
    ids = torch.tensor([[3, 4, 5]])

    def differs(folder):
        model = AutoModel.from_pretrained(folder).train()
        with torch.no_grad():
            one, two = (model(input_ids=ids).last_hidden_state for _ in range(2))
        return not torch.equal(one, two)

    assert differs(base)
    assert not differs(tmp_path / "copy")


def test_what_cannot_be_loaded_is_named(tmp_path):
    with pytest.raises(AdapterError, match=r"^the model .*none cannot be loaded"):
        copy_without_dropout(str(tmp_path / "none"), tmp_path / "copy")


def test_a_base_without_weights_is_named(tmp_path):
    base = tiny_base(tmp_path / "base")
    (base / "model.safetensors").unlink()
    with pytest.raises(AdapterError, match=r"^the model .*base cannot be loaded"):
        copy_without_dropout(str(base), tmp_path / "copy")


def test_a_base_that_drops_by_another_entry_is_refused(tmp_path, monkeypatch):
    base = tiny_base(tmp_path / "base")
    monkeypatch.setattr(base_copy, "dropouts_of", lambda _: ("hidden_dropout_prob",))
    with pytest.raises(AdapterError, match="cannot be switched off by name; set it to"):
        copy_without_dropout(str(base), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
