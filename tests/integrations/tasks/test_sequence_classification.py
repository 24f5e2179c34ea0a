"""SequenceClassification: columns, labels, truncation, refusals."""

import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_tokenizer


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        (["text", "label"], ("text",)),
        (["label", "sentence"], ("sentence",)),
        (["sentence1", "label"], ("sentence1",)),
        (["sentence1", "sentence2", "label"], ("sentence1", "sentence2")),
        (["premise", "hypothesis", "label"], ("premise", "hypothesis")),
        (["question1", "question2", "label"], ("question1", "question2")),
        (["question", "sentence", "label"], ("question", "sentence")),
    ],
)
def test_text_columns_are_found(columns, wanted):
    task = SequenceClassification(tiny_tokenizer()).for_columns(columns)
    assert task.text_columns == wanted
    assert task.settings()["text_columns"] == list(wanted)


def test_unknown_text_columns_are_refused():
    message = (
        "no text column known among review, label; name one or two with text_columns=."
    )
    with refused(message):
        SequenceClassification(tiny_tokenizer()).for_columns(["review", "label"])


def test_a_choice_of_text_columns_is_left_to_the_user():
    message = (
        "more than one choice of text columns among text, sentence, label; name one or "
        "two with text_columns=."
    )
    with refused(message):
        SequenceClassification(tiny_tokenizer()).for_columns(
            ["text", "sentence", "label"]
        )


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            SequenceClassification(tiny_tokenizer(), text_columns=("txt",)),
            "column 'txt' is missing: expected one of: text, label; did you mean "
            "'text'?.",
        ),
        (
            SequenceClassification(tiny_tokenizer(), label_column="labels"),
            "column 'labels' is missing: expected one of: text, label; did you mean "
            "'label'?.",
        ),
    ],
    ids=["text", "label"],
)
def test_missing_columns_are_refused_before_any_row(task, message):
    with refused(message):
        task.for_columns(["text", "label"])


def test_two_texts_are_joined_as_the_tokenizer_joins_them():
    tokenizer = tiny_tokenizer(type_ids=True)
    task = SequenceClassification(tokenizer, text_columns=["a", "b"])
    batch = task.collate(
        [{"a": "xy", "b": "z", "label": 1}, {"a": "", "b": "z", "label": 0}]
    )
    wanted = tokenizer("xy", "z")
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        assert batch[name][0].tolist() == wanted[name]
    assert batch["attention_mask"][1].tolist() == [1, 1, 1, 0, 0]
    assert batch["labels"].tolist() == [1, 0]


def test_one_name_is_one_column():
    assert SequenceClassification(tiny_tokenizer(), "body").text_columns == ("body",)


def test_three_text_columns_are_refused():
    with refused("text_columns must name one or two columns, got 3.", OptionError):
        SequenceClassification(tiny_tokenizer(), text_columns=("a", "b", "c"))


def test_padding_is_on_the_right_whatever_the_tokenizer_says():
    task = SequenceClassification(tiny_tokenizer("left"))
    batch = task.collate([{"text": "a", "label": 0}, {"text": "abc", "label": 0}])
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("given", "label"), [(2, 2), ("2", 2), (torch.tensor(1), 1), (True, 1)]
)
def test_class_numbers_pass(given, label):
    task = SequenceClassification(tiny_tokenizer(), num_labels=3)
    assert task.label_of({"text": "a", "label": given}) == label


def test_class_names_become_their_place():
    task = SequenceClassification(tiny_tokenizer(), labels=["bad", "good"])
    assert task.label_of({"text": "a", "label": "good"}) == 1
    assert task.label_of({"text": "a", "label": 1}) == 1
    assert task.num_labels == 2
    assert task.describe({"text": "a", "label": 1}) == "a → good"
    message = (
        "label 'goood' is unknown in the row {'text': 'a', 'label': 'goood'}: expected "
        "one of: bad, good; did you mean 'good'?."
    )
    with refused(message):
        task.label_of({"text": "a", "label": "goood"})


@pytest.mark.parametrize("label", ["positive", "1.5"])
def test_what_is_no_class_number_is_refused(label):
    row = {"text": "a", "label": label}
    message = (
        f"label {label!r} is no class number in the row {row}; make the column whole "
        "numbers from 0, or give the class names in the order of training as labels= "
        "(--task-option 'labels=[bad, good]')."
    )
    with refused(message):
        SequenceClassification(tiny_tokenizer()).label_of(row)


@pytest.mark.parametrize(
    ("num_labels", "label", "range_"),
    [(3, 3, "0 to 2"), (3, -1, "0 to 2"), (None, -1, "0 and up")],
)
def test_labels_outside_of_the_classes_are_refused_with_their_row(
    num_labels, label, range_
):
    task = SequenceClassification(tiny_tokenizer(), num_labels=num_labels)
    message = (
        f"label {label} is outside of the classes {range_} in the row "
        f"{{'text': 'a', 'label': {label}}}; correct the row or take it out."
    )
    with refused(message):
        task.collate([{"text": "a", "label": label}])


def test_a_label_beyond_the_models_classes_is_refused():
    task = SequenceClassification(tiny_tokenizer())
    batch = task.collate([{"text": "a", "label": 3}])
    message = (
        "label 3 is outside of the model's classes 0 to 2; correct the data, or "
        "train a head with more classes."
    )
    with refused(message):
        task.losses(tiny_bert_classifier(3), batch)


def test_repeated_or_contradicting_class_names_are_refused():
    with refused("labels must differ, got a, b, a.", OptionError):
        SequenceClassification(tiny_tokenizer(), labels=["a", "b", "a"])
    message = "num_labels=3 contradicts the 2 labels that are named; leave it out."
    with refused(message, OptionError):
        SequenceClassification(tiny_tokenizer(), labels=["a", "b"], num_labels=3)


def test_a_model_that_is_no_classifier_is_refused():
    task = SequenceClassification(tiny_tokenizer())
    message = (
        "sequence-classification needs logits [B, C] of at least 2 classes, the model "
        "gives [1, 2, 61]; is it a sequence classifier?"
    )
    with refused(message, AdapterError):
        task.losses(tiny_llama(), task.collate([{"text": "a", "label": 0}]))


def test_another_padding_token_in_the_model_is_refused():
    task = SequenceClassification(tiny_tokenizer())
    model = tiny_bert_classifier()
    model.config.pad_token_id = 5
    batch = task.collate([{"text": "a", "label": 0}, {"text": "ab", "label": 0}])
    message = (
        "the tokenizer pads with token 0, model.config.pad_token_id is 5, and "
        "classifiers find the text's end by it; set model.config.pad_token_id = 0, as "
        "in training."
    )
    with refused(message, AdapterError):
        task.losses(model, batch)


def test_any_module_that_gives_logits_will_do():
    class Constant(nn.Module):
        def forward(self, **inputs):
            return SimpleNamespace(logits=torch.zeros(len(inputs["input_ids"]), 5))

    task = SequenceClassification(tiny_tokenizer())
    batch = task.collate([{"text": "a", "label": 4}, {"text": "ab", "label": 0}])
    losses = task.losses(Constant(), batch)
    torch.testing.assert_close(losses, torch.full((2,), 5.0).log())


def test_losses_are_the_cross_entropy_of_the_logits():
    task = SequenceClassification(tiny_tokenizer())
    model = tiny_bert_classifier(3, dtype=torch.float64)
    batch = task.collate([{"text": "abc", "label": 2}])
    logits = model(input_ids=batch["input_ids"]).logits[0]
    wanted = -logits.log_softmax(0)[2]
    losses = task.losses(model, batch)
    assert losses.dtype == torch.float64
    torch.testing.assert_close(losses[0], wanted, rtol=1e-12, atol=0)


def test_long_texts_are_cut_and_said_to_be():
    task = SequenceClassification(tiny_tokenizer(), max_length=5)
    assert task.length({"text": "abcdefgh", "label": 0}) == 5
    assert task.truncated({"text": "abcde", "label": 0})
    assert not task.truncated({"text": "abcd", "label": 0})


def test_long_texts_are_refused_on_request():
    task = SequenceClassification(tiny_tokenizer(), max_length=5, truncation=False)
    assert task.length({"text": "abcd", "label": 0}) == 5
    message = (
        "6 tokens are more than max_length=5 in the row {'text': 'abcde', 'label': 0}; "
        "raise max_length, or let truncation cut the row."
    )
    with refused(message):
        task.collate([{"text": "abcde", "label": 0}])


def test_descriptions_show_both_texts_and_the_label():
    task = SequenceClassification(tiny_tokenizer())
    row = {"sentence1": "it rains", "sentence2": "it is wet", "label": 1}
    assert task.describe(row) == "it rains ⟂ it is wet → 1"


def test_settings_show_every_choice():
    task = SequenceClassification(tiny_tokenizer(), labels=["a", "b"])
    settings = task.settings()
    assert list(settings) == [
        "name",
        "text_columns",
        "label_column",
        "labels",
        "num_labels",
        "max_length",
        "truncation",
        "problem",
        "tokenizer",
    ]
    assert settings["max_length"] == 256
    assert settings["labels"] == ["a", "b"]


def test_real_rows_are_read(shared_data):
    from datainf.core.run_config import DataConfig
    from datainf.integrations.examples import load_examples

    rows = load_examples(DataConfig(data=str(shared_data / "mrpc" / "val.tsv")))
    task = SequenceClassification(tiny_tokenizer()).for_columns(rows.column_names)
    batch = task.collate([rows[i] for i in range(5)])
    assert batch["input_ids"].shape[0] == 5
    assert set(batch["labels"].tolist()) <= {0, 1}
