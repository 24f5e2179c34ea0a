"""The data of a page: each row once, equal to the scores, cut where it says so."""

import json

import numpy as np
import pandas as pd
import pytest

from datainf.core.pictures import Pictures
from datainf.reports import payload as module
from datainf.reports.payload import CUT, kept_rows, payload
from tests.core.test_pictures import WEBP
from tests.reports.fakes import NASTY, N, Q, bare_scores, nasty_scores


def test_every_row_is_there_once_with_its_columns():
    value, matrix = payload(nasty_scores(), 2)
    assert value["total"] == len(value["rows"]) == N
    assert [column["name"] for column in value["columns"]] == ["class", "planted"]
    assert [column["flag"] for column in value["columns"]] == [False, True]
    assert value["rows"][0]["index"] == "101"
    assert value["rows"][0]["tags"] == ("<b>a</b>", "yes")
    assert value["queries"][1]["tags"] == ("a",)
    assert matrix is not None
    assert matrix.shape == (Q, N)
    np.testing.assert_array_equal(matrix, nasty_scores().values.astype("f4"))
    assert value["mean"] == pytest.approx(nasty_scores().values.mean(axis=0), rel=1e-5)
    json.dumps(value, allow_nan=False)


def test_texts_that_no_query_lists_are_cut():
    scores = nasty_scores()
    scores = scores.with_rows(train=scores.train.assign(text="x" * 900))
    value, _ = payload(scores, 1, also=[105])
    listed = {
        row["row"]
        for query in value["queries"]
        for side in query["sides"]
        for each in side["rows"]
        for row in (each, *each.get("twins", []))
    } | {4}
    assert listed < set(range(N))
    for place, row in enumerate(value["rows"]):
        assert len(row["text"]) == (900 if place in listed else CUT)
        assert row.get("size") == (None if place in listed else 900)


def test_rows_without_text_or_columns_have_none():
    value, _ = payload(bare_scores(np.array([[-1.0, 1.0]])), 1)
    assert value["rows"] == [{"index": "0", "tags": ()}, {"index": "1", "tags": ()}]
    assert (value["columns"], value["groups"]) == ([], [])


def test_an_index_stays_a_whole_number_beside_fractions():
    scores = bare_scores(np.array([[-1.0, 1.0]]))
    scores = scores.with_rows(train=scores.train.assign(loss=[0.5, 0.25]))
    assert [row["index"] for row in payload(scores, 1)[0]["rows"]] == ["0", "1"]


def test_of_many_rows_the_listed_and_the_strongest_are_kept(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 3)
    values = np.array([[0.0, -1.0, 0.2, 9.0, 0.1], [0.0, 0.0, 7e-3, 0.0, -1e-3]])
    scores = bare_scores(values)
    assert kept_rows(scores, []).tolist() == [2, 3, 4]
    assert kept_rows(scores, [0]).tolist() == [0, 2, 3]
    value, matrix = payload(scores, 1)
    assert value["total"] == 5
    assert [row["index"] for row in value["rows"]] == ["1", "2", "3", "4"]
    assert matrix is not None
    assert matrix.shape == (2, 4)


def test_too_many_scores_leave_the_mean(monkeypatch):
    monkeypatch.setattr(module, "CELLS", 3)
    value, matrix = payload(bare_scores(np.array([[-1.0, 1.0], [3.0, 1.0]])), 1)
    assert matrix is None
    assert value["mean"] == [1.0, 1.0]


def test_pictures_stand_with_their_rows():
    rows = [("train", 103, WEBP), ("query", 7, WEBP)]
    drawn = Pictures(pd.DataFrame(rows, columns=["side", "index", "picture"]))
    value, _ = payload(nasty_scores(), 2, pictures=drawn)
    held = [row["index"] for row in value["rows"] if "picture" in row]
    assert held == ["103"]
    assert [row["index"] for row in value["queries"] if "picture" in row] == ["7"]
    assert value["rows"][2]["picture"].startswith("data:image/webp;base64,")


def test_texts_are_visible_ones():
    value, _ = payload(nasty_scores(), 12)
    assert value["rows"][0]["text"] == NASTY[0]
    assert "NUL ␀ bell ␇" in value["rows"][6]["text"]
