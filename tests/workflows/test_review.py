"""Reasons for review: ranks, the model's label, and near rows that contradict."""

import numpy as np
import pytest

from datainf.integrations.hidden_states import mean_hidden_states
from datainf.workflows.finished import open_finished
from datainf.workflows.judgement import judge
from datainf.workflows.progress import Logged
from datainf.workflows.review import contradictions, review_table, suggestions
from datainf.workflows.rows import look_at


@pytest.fixture(scope="module")
def run(labels):
    return open_finished(labels.folder, Logged())


def test_each_row_says_what_the_model_says_of_it(run):
    places = run.most_suspicious(5)
    table = review_table(run, places, Logged())
    task, rows = run.subject.task, list(run.dataset)
    own = judge(run.subject.model, task, look_at(rows, task, Logged(), text=False))
    assert own.chances is not None
    assert table["index"].tolist() == run.index[places].tolist()
    assert table["label"].tolist() == [rows[i]["label"] for i in table["index"]]
    names = ["awful", "good"]
    for _, row in table.iterrows():
        p = own.chances[row["index"]]
        assert row["loss"] == pytest.approx(own.losses[row["index"]])
        assert row["loss_rank"] == 1 + (own.losses > own.losses[row["index"]]).sum()
        assert row["model_label"] == names[p.argmax()]
        assert row["model_probability"] == pytest.approx(p.max())
        assert row["label_probability"] == pytest.approx(p[names.index(row["label"])])
        assert row["disagrees"] == (row["model_label"] != row["label"])
        assert f"number {row['rank']} of 11 by influence" in row["reason"]
    few = suggestions(run, places, Logged())
    for name in ("model_label", "disagrees"):
        assert few[name].tolist() == table[name].tolist()


def test_near_rows_with_another_label_are_named(run):
    places = run.most_suspicious(5)
    table = review_table(run, places, Logged())
    rows = list(run.dataset)
    states = mean_hidden_states(run.subject.model, run.subject.task, rows).numpy()
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    for _, row in table.iterrows():
        me = row["index"]
        others = [i for i in range(len(rows)) if i != me]
        near = sorted(others, key=lambda i: -float(unit[i] @ unit[me]))[:5]
        expected = [i for i in near if rows[i]["label"] != rows[me]["label"]]
        assert sorted(map(int, row["contradicted_by"].split())) == sorted(expected)


def test_contradictions_are_near_and_of_another_label():
    angles = np.array([0.0, 0.1, 0.2, 0.9, 1.5])
    states = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [
        [1],
        [5],
        [1],
        [2],
        [1],
    ]
    labels = np.array([0, 1, 0, 1, 1])
    assert contradictions(states, labels, np.array([0, 4]), count=3) == [[1, 3], [2]]
    assert contradictions(states, labels, np.array([2]), count=99) == [[1, 3, 4]]


def test_a_language_model_is_reviewed_by_ranks(sums):
    run = open_finished(sums.folder, Logged())
    table = review_table(run, run.most_suspicious(3), Logged())
    assert list(table.columns) == [
        *("rank", "index", "suspicion", "label", "loss", "loss_rank", "reason", "text"),
    ]
    assert table["reason"][0].startswith("number 1 of 11 by influence; number ")
