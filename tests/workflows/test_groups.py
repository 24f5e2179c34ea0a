"""Columns that group training examples."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import DataError, OptionError
from datainf.core.records import Provenance, Scores
from datainf.workflows.groups import (
    group_facts,
    influence_of_groups,
    require_column,
    with_column,
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
