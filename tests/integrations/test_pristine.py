"""A base between two trainings is the base before the first, to the bit."""

import pytest
import torch

from datainf.core.recipe import Recipe
from datainf.integrations.pristine import PristineBase
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.trainer import train
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer

ROWS = [{"text": "ab" * (i + 1), "label": i % 2} for i in range(5)]
LORA = {"r": 2, "target_modules": ["query"]}


@pytest.mark.parametrize(
    "peft",
    [
        LORA,
        {**LORA, "bias": "all", "modules_to_save": ["classifier", "pooler"]},
        {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3},
    ],
    ids=["head", "biases and modules", "prompt"],
)
def test_a_restored_base_is_as_it_was_and_trains_the_same_again(peft):
    model = tiny_bert_classifier(2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    places = {path: id(module) for path, module in model.named_modules()}
    base = PristineBase(model)
    recipe = Recipe(peft=peft, training={"num_train_epochs": 1, "learning_rate": 0.1})
    task = SequenceClassification(tiny_tokenizer(), num_labels=2)
    found = []
    for _ in range(2):
        adapted = train(model, ROWS, task, recipe)
        trained = [p for p in adapted.parameters() if p.requires_grad]
        found.append([p.detach().clone() for p in trained])
        assert base.restore(adapted) is model
        assert {path: id(one) for path, one in model.named_modules()} == places
        after = model.state_dict()
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], before[name]) for name in before)
    assert found[0]
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
