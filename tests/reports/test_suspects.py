"""Suspicious rows and their reasons."""

from dataclasses import replace

import numpy as np
import pandas as pd

from datainf.reports.suspects import contradictions, reasons, suspects
from tests.reports.fakes import bare_scores


def scores(values, **columns):
    made = bare_scores(np.array(values, dtype=float))
    return made.with_rows(train=made.train.assign(**columns))


def test_the_rows_that_hurt_most_come_first_with_their_rank():
    table = suspects(scores([[1.0, -2.0, 3.0], [1.0, 0.0, 1.0]]))
    assert table["train"].tolist() == [2, 0]
    assert table["mean influence"].tolist() == [2.0, 1.0]
    assert table["why"].tolist() == [
        "number 1 of 3 in raising the loss of the queries",
        "number 2 of 3 in raising the loss of the queries",
    ]
    assert len(suspects(scores([[1.0, 2.0, 3.0]]), limit=1)) == 1


def test_a_row_that_others_contradict_is_there_though_it_helps():
    texts = ["Fine film → positive", "fine  film → negative", "x → y", None, "no arrow"]
    found = scores([[-1.0, -2.0, -3.0, -4.0, -5.0]], text=texts)
    table = suspects(found)
    assert table["train"].tolist() == [0, 1]
    assert table["why"].tolist() == [
        "the same text with another answer: example 1",
        "the same text with another answer: example 0",
    ]
    assert table["text"].tolist() == texts[:2]


def test_the_same_text_with_the_same_answer_is_no_contradiction():
    found = scores([[0.0] * 3], text=["a → b", "A →  b", "c → b"])
    assert contradictions(found) == {}


def test_many_contradictions_are_counted():
    found = scores([[0.0] * 6], text=["a → b", *(f"a → {i}" for i in range(5))])
    assert reasons(found, np.array([0])) == [
        "the same text with another answer: example 1, example 2, example 3, 2 more"
    ]


def test_raising_the_loss_of_its_own_class_is_a_reason():
    made = scores(
        [[5.0, -1.0], [4.0, -1.0], [-99.0, 1.0]], label=["cat", "cat"], only="here"
    )
    made = made.with_rows(
        queries=pd.DataFrame({"index": [0, 1, 2], "label": ["cat", "cat", "dog"]})
    )
    assert reasons(made, np.array([0, 1])) == [
        "raises the loss of 2 of 2 queries of its own label",
        "",
    ]


def test_one_query_of_a_class_is_too_few_to_say_so():
    made = scores([[5.0]], label="cat")
    made = replace(made, queries=pd.DataFrame({"index": [0], "label": ["cat"]}))
    assert reasons(made, np.array([0])) == [
        "number 1 of 1 in raising the loss of the query"
    ]


def test_scores_that_hurt_nobody_have_no_suspects():
    assert len(suspects(scores([[-1.0, -2.0]]))) == 0
