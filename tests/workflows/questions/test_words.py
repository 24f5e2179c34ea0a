"""Words and their classes; left empty, the classes are the adapter's own."""

import pytest
import torch

from datainf.core.errors import DataError
from datainf.core.questions import Said
from datainf.integrations.tasks.token_classification import TokenClassification
from datainf.workflows.questions.words import WordsQuestion
from tests.tiny_models import tiny_bert_tagger, tiny_tokenizer

NAMES = ("out", "per", "loc")
ROWS = [{"tokens": ["ann", "left"], "ner_tags": [1, 0]}]


def question_of(**options) -> WordsQuestion:
    task = TokenClassification(tiny_tokenizer(), labels=NAMES, **options)
    return WordsQuestion(tiny_bert_tagger(), task, ROWS)


def test_every_word_has_the_class_that_is_given(tmp_path):
    question = question_of()
    given = {"words": " ann  left ", "classes": "per out"}
    posed = question.posed(given, tmp_path)
    assert posed.example == {"tokens": ["ann", "left"], "ner_tags": ["per", "out"]}
    assert question.task.label_of(posed.example) == (1, 0)
    assert "One of out, per, loc for each word" in question.fields[1].hint


@pytest.mark.parametrize("every", [False, True])
def test_the_adapters_own_classes_are_those_of_first_tokens(every, tmp_path):
    question = question_of(label_all_subtokens=every)
    ids = question.task.tokenizer("annleft", return_tensors="pt")
    with torch.no_grad():
        likeliest = question.model(**ids).logits[0].argmax(dim=1)
    first = [1, 4]  # after <s>, and after the three letters of ann
    expected = [int(likeliest[i]) for i in first]
    posed = question.posed({"words": "ann left"}, tmp_path)
    assert posed.example == {"tokens": ["ann", "left"], "ner_tags": expected}
    a, b = (NAMES[c] for c in expected)
    assert posed.said == Said("The adapter says", f"ann/{a} left/{b}")


def test_a_word_that_is_cut_has_no_class(tmp_path):
    question = question_of(max_length=4)  # <s> and three letters
    posed = question.posed({"words": "ann left"}, tmp_path)
    assert posed.example["ner_tags"][1] == -100


def test_classes_must_be_as_many_as_words(tmp_path):
    with pytest.raises(DataError, match=r"^2 words and 1 classes; give every"):
        question_of().posed({"words": "ann left", "classes": "per"}, tmp_path)
