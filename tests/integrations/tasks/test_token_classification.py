"""TokenClassification: labels on sub-tokens, the model's own loss, refusals."""

import re

import pytest
import torch

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.integrations.tasks.token_classification import TokenClassification
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_bert_tagger,
    tiny_tokenizer,
)

ROW = {"tokens": ["ann", "is", "in"], "ner_tags": [1, 0, -100]}


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def words(**options):
    return TokenClassification(tiny_tokenizer(), **options)


def test_a_label_goes_to_the_first_sub_token_or_to_all():
    ids, labels = words().encode(ROW)
    assert words().tokenizer.decode(ids) == "<s>annisin"
    assert labels == [-100, 1, -100, -100, 0, -100, -100, -100]
    _, labels = words(label_all_subtokens=True).encode(ROW)
    assert labels == [-100, 1, 1, 1, 0, 0, -100, -100]


def test_a_text_is_split_at_white_space():
    row = {"tokens": "ann  is\nin", "ner_tags": [1, 0, -100]}
    assert words().encode(row) == words().encode(ROW)


@pytest.mark.parametrize("everywhere", [False, True])
def test_each_loss_is_the_models_own_of_a_batch_of_one(everywhere):
    task = words(label_all_subtokens=everywhere)
    model = tiny_bert_tagger(dtype=torch.float64)
    rows = [ROW, {"tokens": ["a"], "ner_tags": [2]}]
    losses = task.losses(model, task.collate(rows))
    for row, loss in zip(rows, losses, strict=True):
        wanted = model(**task.collate([row])).loss
        torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=0)


def test_padding_is_on_the_right_and_has_no_label():
    rows = [ROW, {"tokens": ["a"], "ner_tags": [2]}]
    batch = TokenClassification(tiny_tokenizer("left")).collate(rows)
    assert batch["attention_mask"][1].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert batch["labels"][1].tolist() == [-100, 2, -100, -100, -100, -100, -100, -100]


def test_names_of_classes_are_read_and_described():
    task = words(labels=["O", "PER"], words_column="words", label_column="tags")
    row = {"words": ["ann", "is", "in"], "tags": ["PER", "O", -100]}
    assert task.label_of(row) == (1, 0, -100)
    assert task.describe(row) == "ann/PER is/O in"
    assert words().describe(ROW) == "ann/1 is/0 in"
    message = (
        "label 'PERS' is unknown in the row {'words': ['a'], 'tags': ['PERS']}: "
        "expected one of: O, PER; did you mean 'PER'?."
    )
    with refused(message):
        task.collate([{"words": ["a"], "tags": ["PERS"]}])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ["token", "ner_tags"],
            "column 'tokens' is missing: expected one of: token, ner_tags; did you "
            "mean 'token'?.",
        ),
        (
            ["tokens", "ner_tag"],
            "column 'ner_tags' is missing: expected one of: tokens, ner_tag; did you "
            "mean 'ner_tag'?.",
        ),
    ],
)
def test_missing_columns_are_refused_before_any_row(columns, message):
    with refused(message):
        words().for_columns(columns)
    fitting = words(words_column=columns[0], label_column=columns[1])
    assert fitting.for_columns(columns) == fitting


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"tokens": ["a", "b"], "ner_tags": [1]},
            "2 words and 1 labels in the row {'tokens': ['a', 'b'], 'ner_tags': [1]}; "
            "every word needs one.",
        ),
        (
            {"tokens": ["a"], "ner_tags": 1},
            "column 'ner_tags' must hold a list with a label for each word, got int in "
            "the row {'tokens': ['a'], 'ner_tags': 1}.",
        ),
        (
            {"tokens": [7], "ner_tags": [1]},
            "column 'tokens' must hold words or a text, got list in the row {'tokens': "
            "[7], 'ner_tags': [1]}.",
        ),
        (
            {"tokens": ["a"], "ner_tags": [-100]},
            "no token to learn from in the row {'tokens': ['a'], 'ner_tags': [-100]}: "
            "none has a label; raise max_length, or take the row out.",
        ),
        (
            {"tokens": [], "ner_tags": []},
            "no token to learn from in the row {'tokens': [], 'ner_tags': []}: none "
            "has a label; raise max_length, or take the row out.",
        ),
        (
            {"tokens": ["a"], "ner_tags": [3]},
            "label 3 is outside of the classes 0 to 2 in the row {'tokens': ['a'], "
            "'ner_tags': [3]}; correct the row or take it out.",
        ),
    ],
    ids=["unequal", "no list", "no words", "masked", "empty", "class"],
)
def test_rows_that_cannot_be_used_are_refused(row, message):
    with refused(message):
        words(num_labels=3).collate([row])


def test_long_texts_are_cut_and_said_to_be_or_refused():
    task = words(max_length=5)
    assert task.length(ROW) == 5
    assert task.encode(ROW)[1] == [-100, 1, -100, -100, 0]
    assert task.truncated(ROW)
    assert not words(max_length=8).truncated(ROW)
    short = {"tokens": ["ann"], "ner_tags": [1]}
    message = (
        "4 tokens are more than max_length=3 in the row {'tokens': ['ann'], "
        "'ner_tags': [1]}; raise max_length, or let truncation cut the row."
    )
    with refused(message):
        words(max_length=3, truncation=False).collate([short])


def test_models_that_are_no_token_classifiers_are_refused():
    task = words()
    batch = task.collate([ROW])
    message = (
        "token-classification needs logits [B, T, C] for labels [1, 8], the model "
        "gives [1, 3]; is it a token classifier?"
    )
    with refused(message, AdapterError):
        task.losses(tiny_bert_classifier(3), batch)
    message = (
        "label 1 is outside of the model's classes 0 to 0; correct the data, or train "
        "a head with more classes."
    )
    with refused(message):
        task.losses(tiny_bert_tagger(1), batch)


def test_tokenizers_that_do_not_know_words_are_refused(monkeypatch):
    task = words()
    message = (
        "the tokenizer takes no split words: no space. Load it with "
        "add_prefix_space=True."
    )

    def complain(*texts, **options):  # noqa: ARG001
        raise AssertionError("no space.")

    monkeypatch.setattr(type(task.tokenizer), "__call__", complain)
    with refused(message, OptionError):
        task.truncated(ROW)
    message = (
        "token-classification needs a fast tokenizer, which knows the words of its "
        "tokens; load one with use_fast=True."
    )
    monkeypatch.setattr(type(task.tokenizer), "is_fast", False)
    with refused(message, OptionError):
        words()


def test_settings_show_every_choice():
    assert list(words().settings()) == [
        "name",
        "words_column",
        "label_column",
        "labels",
        "num_labels",
        "label_all_subtokens",
        "max_length",
        "truncation",
        "tokenizer",
    ]
