"""Sums and means of sets against loops, and the laws of sets."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import OptionError
from datainf.core.groups import MISSING, members_of, t_quantile
from datainf.core.records import Provenance, Scores

N, Q = 7, 3
VALUES = np.random.default_rng(0).normal(size=(Q, N))
LABELS = ["web", "book", "web", "web", "book", "news", "web"]


def as_any(row: Any) -> Any:
    """pandas-stubs give the cells of a row as everything they might be."""
    return row


def scores(**columns) -> Scores:
    none = np.full((Q, 0), np.nan)
    train = pd.DataFrame({"index": range(10, 10 + N), **columns})
    return Scores(VALUES, (), none, none, Provenance("dot"), train=train)


def test_a_group_has_the_sum_of_its_members_scores():
    found, rows = scores(source=LABELS).by_group("source"), VALUES.tolist()
    for row in map(as_any, found.itertuples()):
        own = [i for i, label in enumerate(LABELS) if label == row.group]
        assert row.examples == len(own)
        assert row.score == pytest.approx(sum(rows[row.query][i] for i in own))
    assert len(found) == Q * 3


def test_groups_of_a_query_come_most_negative_first():
    found = scores().by_group(LABELS)
    assert found["query"].tolist() == sorted(found["query"])
    for _, part in found.groupby("query"):
        assert part["score"].is_monotonic_increasing


def test_groups_that_share_out_all_examples_add_up_to_all():
    found = scores().by_group(LABELS).groupby("query")["score"].sum()
    np.testing.assert_allclose(found, VALUES.sum(axis=1))


def test_a_mean_has_the_interval_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    found = scores().by_group(LABELS, "mean").query("group == 'web'")
    for row in map(as_any, found.itertuples()):
        own = VALUES[row.query, [0, 2, 3, 6]]
        low, high = stats.t.interval(0.95, 3, own.mean(), stats.sem(own))
        assert row.score == pytest.approx(own.mean())
        assert (row.low, row.high) == pytest.approx((low, high), rel=1e-3)


def test_a_single_example_has_no_interval():
    found = scores().by_group(LABELS, "mean").query("group == 'news'")
    assert found[["low", "high"]].isna().all(axis=None)
    assert sorted(found["score"]) == sorted(VALUES[:, 5])


@pytest.mark.parametrize("freedom", [1, 2, 4, 5, 9, 30, 1000])
def test_the_t_quantile_is_that_of_scipy(freedom):
    stats = pytest.importorskip("scipy.stats")
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=5e-4)


def test_sets_of_indices_may_overlap_and_count_each_example_once():
    found = scores().by_group({"a": [10, 12, 12], "b": [12]}).query("query == 1")
    wanted = {"a": VALUES[1, 0] + VALUES[1, 2], "b": VALUES[1, 2]}
    assert dict(zip(found["group"], found["score"], strict=True)) == pytest.approx(
        wanted
    )


def test_examples_without_a_value_are_a_group_of_their_own():
    found = members_of([None, "a", float("nan")], pd.DataFrame({"index": range(3)}))
    assert {name: list(places) for name, places in found.items()} == {
        MISSING: [0, 2],
        "a": [1],
    }


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("sourc", "column 'sourc' is not among those of the training examples: "),
        (["a"], "by_group: got 1 labels for 7 training examples; "),
        ([["a"]] * N, "by_group: a label must be a text or number, got ['a']."),
        ({"a": [3]}, "group 'a' holds example 3; expected indices "),
        ({"a": []}, "group 'a' holds no example; expected indices "),
    ],
)
def test_groups_that_are_not_there_are_refused(groups, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}"):
        scores(source=LABELS).by_group(groups)


def test_another_way_to_reduce_is_refused():
    with pytest.raises(OptionError, match=r"^reduce='median' is unknown"):
        scores().by_group(LABELS, "median")
