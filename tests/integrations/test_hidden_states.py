"""Mean hidden states and accuracy, against one example at a time."""

from typing import Any

import pytest
import torch
from PIL import Image

from datainf.integrations.hidden_states import mean_hidden_states, share_right
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_image_processor,
    tiny_llama,
    tiny_tokenizer,
    tiny_vit,
    with_lora,
)

FILMS = [{"text": "film " * n, "label": n % 2} for n in (1, 7, 3, 2, 5)]
ANSWERS = [{"prompt": "say " * n, "completion": "yes"} for n in (1, 4, 2)]


@pytest.mark.parametrize("kind", ["classifier", "language model"])
def test_padding_changes_nothing(kind):
    task: Any
    rows: Any
    if kind == "classifier":
        model = with_lora(tiny_bert_classifier(2), "SEQ_CLS")
        task, rows = SequenceClassification(tiny_tokenizer(), num_labels=2), FILMS
    else:
        model = with_lora(tiny_llama(), "CAUSAL_LM")
        task, rows = CausalLM(tiny_tokenizer()), ANSWERS
    found = mean_hidden_states(model, task, rows)
    for row, state in zip(rows, found, strict=True):
        batch = dict(task.collate([row]))
        batch.pop("labels")
        own = model(**batch, output_hidden_states=True).hidden_states[-1]
        torch.testing.assert_close(state, own[0].mean(dim=0))


def test_an_image_is_averaged_over_all_its_patches():
    task = ImageClassification(tiny_image_processor(), num_labels=3)
    rows = [
        {"image": Image.new("RGB", (8, 8), color), "label": 1}
        for color in ("red", "navy", "white")
    ]
    model = with_lora(tiny_vit(3), None)
    found = mean_hidden_states(model, task, rows)
    for row, state in zip(rows, found, strict=True):
        pixels = task.collate([row])["pixel_values"]
        own = model(pixel_values=pixels, output_hidden_states=True).hidden_states[-1]
        torch.testing.assert_close(state, own[0].mean(dim=0))


def test_the_share_is_that_of_the_largest_logit():
    model = with_lora(tiny_bert_classifier(2), "SEQ_CLS")
    task = SequenceClassification(tiny_tokenizer(), num_labels=2)
    right = 0
    for row in FILMS:
        batch = dict(task.collate([row]))
        label = batch.pop("labels")
        right += int(model(**batch).logits.argmax()) == int(label)
    assert share_right(model, task, FILMS) == right / 5
