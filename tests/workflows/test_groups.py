"""Columns that group training examples."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset

from datainf.core.errors import DataError, OptionError
from datainf.core.records import Provenance, Scores
from datainf.workflows.groups import (
    few_words,
    group_facts,
    influence_of_groups,
    require_column,
    with_column,
    with_columns,
)

VALUES = np.array([[-1.0, 2.0, -4.0], [8.0, 16.0, 32.0]])
ROWS = [{"text": "a", "by": who, "many": [1]} for who in ("ann", "bob", "eve", "ann")]


def scores() -> Scores:
    """Of rows 0, 1 and 3: the store left one out."""
    none = np.full((2, 0), np.nan)
    train = pd.DataFrame({"index": [0, 1, 3]})
    return Scores(VALUES, (), none, none, Provenance("dot"), train=train)


def test_a_column_is_read_by_the_index_of_each_row():
    found = with_column(scores(), "by", ROWS)
    assert found.train["by"].tolist() == ["ann", "bob", "ann"]
    assert list(with_column(scores(), None, ROWS).train) == ["index"]


def test_groups_of_a_column_of_the_data_file(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    found = influence_of_groups(scores(), "by", rows=str(file), query=0)
    assert found.to_dict("list") == {
        "query": [0, 0],
        "group": ["ann", "bob"],
        "examples": [2, 1],
        "score": [-5.0, 2.0],
    }


def test_data_with_fewer_rows_than_were_scored_are_refused(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS[:2])), encoding="utf-8")
    with pytest.raises(OptionError, match="has 2 rows and the scores speak of row 3"):
        influence_of_groups(scores(), "by", rows=str(file))


def test_a_query_that_is_not_there_is_refused():
    carrying = with_column(scores(), "by", ROWS)
    with pytest.raises(OptionError, match="--query 2 is not there"):
        influence_of_groups(carrying, "by", query=2)


@pytest.mark.parametrize(
    ("column", "kind", "message"),
    [
        ("text", OptionError, "group_by='text': scores use this name themselves"),
        ("bye", DataError, "column 'bye' is missing: "),
        ("many", DataError, "column 'many' must hold a text or number to group by"),
    ],
)
def test_a_column_that_cannot_group_is_refused(column, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}"):
        require_column(column, ROWS)


def test_no_column_is_no_matter():
    require_column(None, ROWS)
    assert group_facts(scores(), None) == {}


def test_a_report_has_a_table_of_few_groups(monkeypatch):
    carrying = with_column(scores(), "by", ROWS)
    (table,) = group_facts(carrying, "by").values()
    assert list(table) == ["query", "group", "examples", "score", "low", "high"]
    monkeypatch.setattr("datainf.workflows.groups._SHOWN", 3)
    assert group_facts(carrying, "by") == {}


MIXED = [
    {
        "kind": ("a", "b")[i % 2],
        "flag": i % 3 == 0,
        "size": (1, 2.5, None)[i % 3],
        "text": "taken",
        "own": f"text {i}",
        "long": "x" * 81,
        "odd": (1, "1")[i % 2],
        "list": [i],
        "none": None,
        "half": "half \ud83d",
    }
    for i in range(8)
]


def test_columns_of_few_words_go_along():
    found = few_words(MIXED, [0, 1, 2, 3, 6, 7])
    assert list(found) == ["kind", "flag", "size", "half"]
    assert found["kind"] == ["a", "b", "a", "b", "a", "b"]
    assert found["size"] == [1, 2.5, None, 1, 1, 2.5]
    assert set(found["half"]) == {"half \ufffd"}


def test_a_dataset_is_read_in_these_columns_alone():
    class Columns(list):
        def select_columns(self, names):
            self.asked = names
            return self

    rows = Columns(MIXED)
    few_words(rows, range(8))
    assert "list" not in rows.asked
    assert "text" not in rows.asked


def test_queries_get_the_columns_that_the_training_data_have():
    rows = [{"by": who, "year": 7} for who in ("ann", "bob", "ann", "ann")]
    asked = [{"by": "eve", "else": 1}, {"by": "ann", "else": 2}]
    made = scores().with_rows(queries=pd.DataFrame({"index": [1, 0]}))
    found = with_columns(made, None, rows + rows, asked)
    assert found.train["year"].tolist() == [7, 7, 7]
    assert list(found.queries) == ["index"]
    many = Scores(
        np.zeros((2, 8)), (), np.full((2, 0), np.nan), np.full((2, 0), np.nan),
        Provenance("dot"), queries=pd.DataFrame({"index": [1, 0]}),
    )  # fmt: skip
    found = with_columns(many, None, rows + rows, asked)
    assert found.train["by"].tolist() == ["ann", "bob", "ann", "ann"] * 2
    assert found.queries["by"].tolist() == ["ann", "eve"]


def test_the_column_that_was_asked_for_goes_along_in_any_case():
    rows = [{"own": i} for i in range(4)]
    assert list(with_columns(scores(), None, rows).train) == ["index"]
    assert with_columns(scores(), "own", rows).train["own"].tolist() == [0, 1, 3]


def test_data_of_lists_alone_have_no_such_column():
    # `datasets` gives no row at all of data without columns.
    rows = Dataset.from_list([{"tokens": ["a"], "ner_tags": [0]}] * 3)
    assert few_words(rows, [0, 1, 2]) == {}
