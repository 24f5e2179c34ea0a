"""What doctor finds about rows: all that cannot be used, copies, classes."""

import re

import pytest

from datainf.core.errors import DataError
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.token_classification import TokenClassification
from datainf.workflows.findings import look_through, row_findings
from tests.tiny_models import tiny_tokenizer
from tests.workflows.collecting import Told

TOKENIZER = tiny_tokenizer()
LM = CausalLM(TOKENIZER)


def look(rows, task):
    return look_through(rows, task, lambda _: None, Told())


def found(rows, task):
    """Check -> state and what is said."""
    findings = list(row_findings(look(rows, task), task))
    told = {one.check: (one.state, one.found) for one in findings}
    assert len(told) == len(findings)
    return told


def test_all_rows_that_cannot_be_used_are_counted():
    wrong = (2, 3, 5, 7, 8, 10)
    rows = [
        {"prompt": "a", "completion": None if i in wrong else "b"} for i in range(11)
    ]
    message = (
        "6 of 11 examples cannot be used: 2, 3, 5, 7, 8, ...; the first is example 2: "
        "column 'completion' is empty in the row {'prompt': 'a', 'completion': None}; "
        "fill it or take the row out."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        look(rows, LM)


@pytest.mark.parametrize("wrong", [[1], [0, 1, 2]])
def test_one_fault_or_a_fault_of_all_is_told_by_itself(wrong):
    rows = [
        {"prompt": "a", "completion": None if i in wrong else "b"} for i in range(3)
    ]
    with pytest.raises(DataError, match=f"^example {wrong[0]}: column 'completion'"):
        look(rows, LM)


def test_copies_are_noted():
    rows = [{"text": "ab"}, {"text": "c"}, {"text": "ab"}, {"text": "ab"}]
    assert found(rows, LM)["copies"] == (
        "note",
        "2 examples are the same as an earlier one: 2, 3; copies share the influence "
        "that one would have, keep one of each",
    )
    assert list(found(rows[:2], LM)) == ["examples"]


def labelled(*labels, **settings):
    task = SequenceClassification(TOKENIZER, **settings)
    rows = [{"text": "a" * (i + 1), "label": label} for i, label in enumerate(labels)]
    return found(rows, task)["labels"]


def test_classes_are_counted():
    assert labelled(0, 1, 0) == ("ok", "2 classes: 0 × 2, 1 × 1")
    names = {"labels": ["bad", "good"]}
    assert labelled("good", "bad", "good", **names) == (
        "ok",
        "2 classes: bad × 1, good × 2",
    )


def test_a_class_without_examples_is_noted():
    assert labelled(1, 1, num_labels=3) == (
        "note",
        "3 classes: 0 × 0, 1 × 2, 2 × 0; no example of 0, 2: are these the data that "
        "the adapter was trained on, and is the label column right?",
    )


def test_of_many_classes_the_first_are_shown():
    state, said = labelled(*range(23))
    assert state == "ok"
    assert said.startswith("23 classes: 0 × 1, 1 × 1, ")
    assert said.endswith(", 19 × 1, ...")


def test_several_classes_an_example_count_each():
    several = {"problem": "multi_label_classification", "num_labels": 3}
    assert labelled([0, 2], [2], [1], **several) == (
        "ok",
        "3 classes: 0 × 1, 1 × 1, 2 × 2",
    )


def test_numbers_are_told_by_their_range():
    assert labelled(0.5, -2.0, 3.0, problem="regression") == ("ok", "from -2 to 3")


def test_classes_of_words_are_counted_where_they_are_learned():
    task = TokenClassification(TOKENIZER, num_labels=2)
    rows = [{"tokens": ["a", "b"], "ner_tags": [0, -100]}]
    rows.append({"tokens": ["a", "c", "d"], "ner_tags": [0, 1, 1]})
    assert found(rows, task)["labels"] == ("ok", "2 classes: 0 × 2, 1 × 2")
