"""Whether examples of a batch are apart in training."""

import pytest
from torch import nn

from datainf.integrations.dropout import dropouts_of, rows_are_apart
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_t5


def quiet(model):
    for name in dropouts_of(model.config):
        setattr(model.config, name, 0.0)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def test_a_configuration_names_its_dropouts():
    found = dropouts_of(tiny_bert_classifier(2).config)
    assert {"hidden_dropout_prob", "attention_probs_dropout_prob"} <= set(found)
    assert dropouts_of(object()) == ()


@pytest.mark.parametrize("make", [lambda: tiny_bert_classifier(2), tiny_t5])
def test_dropout_in_configuration_or_module_ties_rows(make):
    assert not rows_are_apart(make())
    assert rows_are_apart(quiet(make()))
    by_module = quiet(make())
    next(m for m in by_module.modules() if isinstance(m, nn.Dropout)).p = 0.1
    assert not rows_are_apart(by_module)


def test_a_model_without_dropout_has_rows_apart():
    assert rows_are_apart(tiny_llama())
    assert not rows_are_apart(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    assert rows_are_apart(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
