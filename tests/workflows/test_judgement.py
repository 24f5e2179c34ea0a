"""What a model says of rows: against one row at a time."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from datainf.core.errors import NonFiniteError
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows.judgement import has_classes, judge, label_writing
from datainf.workflows.progress import Logged
from datainf.workflows.retraining import query_losses
from datainf.workflows.rows import look_at
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_image_processor,
    tiny_llama,
    tiny_tokenizer,
    with_lora,
)

ROWS = [{"text": "film " * n, "label": "abc"[n % 3]} for n in (1, 7, 3, 2, 5)]
TASK = SequenceClassification(tiny_tokenizer(), labels=["a", "b", "c"])


def looked_at(task: Any, rows: Any) -> Any:
    return look_at(rows, task, Logged(), text=False)


def test_chances_and_losses_are_those_of_each_row_alone():
    model = with_lora(tiny_bert_classifier(3).double(), "SEQ_CLS")
    found = judge(model, TASK, looked_at(TASK, ROWS))
    assert found.chances is not None
    for i, row in enumerate(ROWS):
        batch = dict(TASK.collate([row]))
        label = int(batch.pop("labels"))
        with torch.no_grad():
            p = model(**batch).logits[0].softmax(dim=0).numpy()
        np.testing.assert_allclose(found.chances[i], p)
        np.testing.assert_allclose(found.losses[i], -np.log(p[label]))
        assert found.given is not None
        assert found.given[i] == label
        assert found.right is not None
        assert found.right[i] == (p.argmax() == label)


def test_a_language_model_gives_losses_alone():
    task = CausalLM(tiny_tokenizer())
    rows = [{"prompt": "say " * n, "completion": "yes"} for n in (1, 4, 2)]
    model = with_lora(tiny_llama(), "CAUSAL_LM")
    found = judge(model, task, looked_at(task, rows))
    expected = query_losses(model, task, looked_at(task, rows))
    np.testing.assert_array_equal(found.losses, expected)
    assert (found.chances, found.given, found.right) == (None, None, None)


def test_tasks_with_one_class_a_row_are_told_from_others():
    tokenizer: Any = tiny_tokenizer()
    several = SequenceClassification(
        tokenizer, num_labels=3, problem="multi_label_classification"
    )
    images = ImageClassification(tiny_image_processor(), num_labels=3)
    assert [has_classes(t) for t in (TASK, images, several, CausalLM(tokenizer))] == [
        *(True, True, False, False)
    ]


@pytest.mark.parametrize(
    ("labels", "written"), [("aca", ["a", "b", "c"]), ([0, 2, 0], [0, 1, 2])]
)
def test_a_label_is_written_as_the_data_write_it(labels, written):
    rows = [{"text": "x", "label": label} for label in labels]
    assert label_writing(TASK, rows, 3) == written


def test_a_number_written_as_text_stays_text():
    task = SequenceClassification(tiny_tokenizer(), num_labels=3)
    rows = [{"text": "x", "label": label} for label in ("0", "2")]
    assert label_writing(task, rows, 3) == ["0", "1", "2"]


def test_a_model_that_says_nothing_is_refused():
    model = with_lora(tiny_bert_classifier(3), "SEQ_CLS")
    for name, parameter in model.named_parameters():
        if "classifier" in name:
            parameter.data.fill_(float("nan"))
    message = (
        "the model's loss of row 0 is nan; load it in float32, or train with a lower "
        "learning_rate."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        judge(model, TASK, looked_at(TASK, ROWS))
