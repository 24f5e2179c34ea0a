"""Scores: shapes, tables, rankings, saving and loading."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import NonFiniteError, OptionError, StoreError
from datainf.core.records import Provenance, Scores

Q, N, G = 3, 7, 2


def scores(**changes):
    rng = np.random.default_rng(0)
    per_block = rng.normal(size=(G, Q, N)).astype(np.float32)
    values = {
        "values": per_block.sum(axis=0),
        "groups": ("a", "b"),
        "residual": np.full((Q, G), np.nan),
        "scale": np.ones((Q, G)),
        "provenance": Provenance(
            "datainf", {"damping": 0.1}, "0.1.0", {"train": {"base": "b"}}, ("note",)
        ),
        "train": pd.DataFrame(
            {"index": np.arange(N) * 10, "text": [f"t{i}" for i in range(N)]}
        ),
        "queries": pd.DataFrame({"index": [5, 6, 8]}),
        "per_block": per_block,
    }
    return Scores(**{**values, **changes})


def test_row_tables_are_made_where_there_are_none():
    made = scores(train=pd.DataFrame(), queries=pd.DataFrame())
    assert made.train["index"].tolist() == list(range(N))
    assert made.queries["index"].tolist() == list(range(Q))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train": pd.DataFrame({"index": [1, 2]})},
            "scores.train must be a table of 7 rows with a column 'index', got 2 rows "
            "with ['index'].",
        ),
        ({"values": np.zeros(N)}, "scores.values must be [Q, N], got [7]."),
        (
            {"queries": pd.DataFrame({"row": [1, 2, 3]})},
            "scores.queries must be a table of 3 rows with a column 'index', got 3 "
            "rows "
            "with ['row'].",
        ),
        (
            {"agreement": np.ones(2)},
            "scores.agreement must have shape [3], got [2].",
        ),
        (
            {"residual": np.ones((Q, 1))},
            "scores.residual must have shape [3, 2], got [3, 1].",
        ),
        (
            {"scale": np.ones((1, G))},
            "scores.scale must have shape [3, 2], got [1, 2].",
        ),
        (
            {"per_block": np.ones((G, N, Q))},
            "scores.per_block must have shape [2, 3, 7], got [2, 7, 3].",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        scores(**changes)


def test_a_score_that_is_no_number_is_refused_by_place():
    values = np.zeros((Q, N))
    values[1, 4] = np.inf
    message = (
        "score of query 1 and training example 4 is inf; check the gradients with "
        "`datainf verify`."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        scores(values=values)


def test_a_block_score_that_is_no_number_is_refused_by_block():
    per_block = np.zeros((G, Q, N))
    per_block[1, 2, 0] = np.nan
    message = (
        "scores of block b hold NaN or infinity; check the gradients with `datainf "
        "verify`."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        scores(per_block=per_block)


def test_with_rows_replaces_only_what_is_given():
    made = scores()
    table = pd.DataFrame({"index": range(N)})
    other = made.with_rows(train=table)
    assert other.train is table
    assert other.queries is made.queries
    assert made.with_rows(queries=made.queries).train is made.train
    assert np.array_equal(other.values, made.values)


@pytest.mark.parametrize(
    ("order", "sign"),
    [
        ("proponents", lambda row: row),
        ("opponents", lambda row: -row),
        ("magnitude", lambda row: -np.abs(row)),
    ],
)
def test_top_lists_the_extremes_of_each_query_in_order(order, sign):
    made = scores()
    table = made.top(3, order)
    assert list(table.columns) == ["query", "rank", "train", "score", "text"]
    assert table["query"].tolist() == [5, 5, 5, 6, 6, 6, 8, 8, 8]
    assert table["rank"].tolist() == [1, 2, 3] * Q
    for query in range(Q):
        keys = sign(made.values[query])
        best = sorted(range(N), key=keys.__getitem__)[:3]
        part = table[3 * query : 3 * query + 3]
        assert part["train"].tolist() == [10 * i for i in best]
        assert part["score"].tolist() == made.values[query, best].tolist()
        assert part["text"].tolist() == [f"t{i}" for i in best]


def test_top_of_one_query_is_that_part_of_all():
    made = scores()
    whole = made.top(2)
    part = made.top(2, query=1)
    expected = whole[whole["query"] == 6].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, expected)


def test_top_gives_all_when_there_are_fewer():
    assert len(scores().top(N + 100, query=0)) == N


def test_ties_keep_the_order_of_the_data():
    made = scores(values=np.zeros((Q, N)), per_block=None)
    assert made.top(N, query=0)["train"].tolist() == made.train["index"].tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "top: k must be at least 1, got 0."),
        ({"query": 3}, "top: query 3 is not there; scores hold queries 0 to 2."),
        ({"query": -1}, "top: query -1 is not there; scores hold queries 0 to 2."),
    ],
)
def test_top_refuses_what_is_not_there(arguments, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        scores().top(**arguments)


def test_top_refuses_an_unknown_order():
    with pytest.raises(OptionError, match=r"^order='up' is unknown: expected one of: "):
        scores().top(order="up")


def test_to_pandas_is_the_transpose_with_names():
    table = scores().to_pandas()
    assert table.shape == (N, Q)
    assert (table.index.name, table.columns.name) == ("train", "query")
    assert table.loc[40, 6] == scores().values[1, 4]


@pytest.mark.parametrize("keep", [True, False])
def test_loading_gives_back_what_was_saved(tmp_path, keep):
    made = scores() if keep else scores(per_block=None)
    again = Scores.load(made.save(tmp_path / "deep" / "scores"))
    for name in ("values", "residual", "scale"):
        mine, theirs = getattr(made, name), getattr(again, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    assert (again.per_block is not None) == keep
    assert again.groups == made.groups
    assert again.provenance == made.provenance
    pd.testing.assert_frame_equal(again.train, made.train)
    pd.testing.assert_frame_equal(again.queries, made.queries)


def test_a_folder_without_scores_is_refused(tmp_path):
    message = (
        f"{tmp_path} holds no scores (no scores.json); make them with `datainf score` "
        f"or "
        "`datainf attribute`."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        Scores.load(tmp_path)


def test_scores_of_another_format_are_refused(tmp_path):
    scores().save(tmp_path)
    head = json.loads((tmp_path / "scores.json").read_text())
    (tmp_path / "scores.json").write_text(json.dumps({**head, "format": 99}))
    message = (
        f"{tmp_path} holds scores of format 99, this version reads 1; use the datainf "
        "that wrote them, or score the stores again."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        Scores.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scores.json", b"{"),
        ("scores.json", b"{}"),
        ("values.safetensors", b"x"),
        ("train.parquet", b"x"),
    ],
)
def test_damaged_scores_are_refused(tmp_path, name, content):
    scores().save(tmp_path)
    (tmp_path / name).write_bytes(content)
    begin = f"{tmp_path} holds damaged or incomplete scores ("
    with pytest.raises(
        StoreError, match=f"^{re.escape(begin)}.*; score the stores again"
    ):
        Scores.load(tmp_path)


def test_incomplete_scores_are_refused(tmp_path):
    scores().save(tmp_path)
    (tmp_path / "values.safetensors").unlink()
    begin = f"{tmp_path} holds damaged or incomplete scores ("
    with pytest.raises(StoreError, match=f"^{re.escape(begin)}"):
        Scores.load(tmp_path)
