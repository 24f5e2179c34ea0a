"""What the sections show is what the scores hold."""

import numpy as np
import pandas as pd
import pytest

from datainf.reports.sections import (
    Setting,
    Tag,
    fact,
    query_sections,
    settings,
    sources,
    table,
)
from datainf.reports.visible import Passage
from tests.reports.fakes import N, Q, bare_scores, listed, nasty_scores


@pytest.mark.parametrize("order", ["proponents", "opponents"])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_listed_rows_are_those_of_top_with_the_right_sign(order: str, k: int) -> None:
    scores = nasty_scores()
    sign = -1 if order == "proponents" else 1
    for q, section in enumerate(query_sections(scores, k)):
        (side,) = [side for side in section.sides if side.name == order]
        top = listed(scores, k, order, q)
        assert [row.index for row in side.rows] == [str(i) for i in top["train"]]
        assert [row.score for row in side.rows] == top["score"].tolist()
        assert [row.rank for row in side.rows] == top["rank"].tolist()
        assert side.total == (np.sign(scores.values[q]) == sign).sum()
        assert side.rows


def test_every_query_has_a_section_in_order() -> None:
    found = list(query_sections(nasty_scores(), 2))
    assert [section.number for section in found] == [1, 2, 3]
    assert [section.index for section in found] == ["5", "7", "11"]
    assert [section.power for section in found] == [0, 0, -7]
    assert [sum(section.chart["counts"]) for section in found] == [N] * Q


def test_a_row_carries_its_other_columns_marked_against_the_query() -> None:
    section = next(query_sections(nasty_scores(), N))
    rows = {row.index: row for side in section.sides for row in side.rows}
    assert rows["101"].tags == (
        Tag("class", "<b>a</b>", "plain"),
        Tag("planted", "yes", "yes"),
    )
    assert rows["102"].tags == (
        Tag("class", "b", "same"),
        Tag("planted", "no", "no"),
    )
    assert section.tags == (Tag("class", "b", "plain"),)


def test_bars_are_shares_of_the_largest_score() -> None:
    section = next(query_sections(bare_scores(np.array([[-4.0, 1.0, -2.0]])), 3))
    assert [[row.share for row in side.rows] for side in section.sides] == [
        [100.0, 50.0],
        [25.0],
    ]


def test_scores_that_are_all_zero_list_nobody() -> None:
    section = next(query_sections(bare_scores(np.zeros((1, 5))), 3))
    assert [(side.rows, side.total) for side in section.sides] == [((), 0), ((), 0)]


def test_rows_without_text_have_none() -> None:
    section = next(query_sections(bare_scores(np.array([[-1.0, 1.0]])), 1))
    assert section.text is None
    assert section.sides[0].rows[0].text is None


def test_an_index_stays_a_whole_number_beside_fractions() -> None:
    scores = bare_scores(np.array([[-1.0, 1.0]]))
    scores = scores.with_rows(train=scores.train.assign(loss=[0.5, 0.25]))
    section = next(query_sections(scores, 1))
    assert section.sides[1].rows[0].index == "1"


def test_data_columns_may_be_called_like_those_of_top() -> None:
    scores = bare_scores(np.array([[-1.0, 1.0, 2.0]]))
    named = {"score": "x", "query": "y", "rank": "z", "train": "t"}
    scores = scores.with_rows(train=scores.train.assign(**named))
    section = next(query_sections(scores, 1))
    assert [(tag.name, tag.value) for tag in section.sides[0].rows[0].tags] == list(
        named.items()
    )


def test_settings_explain_the_common_options() -> None:
    found = settings(nasty_scores())
    assert [(line.name, line.value) for line in found] == [
        ("method", "datainf"),
        ("damping", "0.1"),
        ("blocks", "tensor"),
        ("normalize", "none"),
        ("curvature groups", "2"),
        ("version", "0.1.0"),
    ]
    assert "mean squared gradient entry" in found[1].meaning
    assert settings(bare_scores(np.zeros((1, 1))))[-1] == Setting(
        "version", "not recorded"
    )


def test_sources_are_named_by_their_path() -> None:
    assert sources(nasty_scores()) == {
        "train": (
            Setting("base", "ab12"),
            Setting("task · eos", "yes"),
            Setting("task · <i>", "–"),
        )
    }


def test_a_table_writes_each_column_alike() -> None:
    found = table(
        pd.DataFrame(
            {
                "index": [12345, 7],
                "AUC": [0.98123, 0.5],
                "small": [0.0012, 0.00034],
                "gap": [1.5, np.nan],
                "tiny": [1e-9, 1.0e-8],
                "count": [4500, 3],
                "flag": [True, False],
                "text": ["a word", "two\nlines"],
                3: ["x" * 41, None],
            }
        )
    )
    assert found.columns == (
        ("index", True),
        ("AUC", True),
        ("small", True),
        ("gap", True),
        ("tiny", True),
        ("count", True),
        ("flag", False),
        ("text", False),
        ("3", False),
    )
    assert found.rows == (
        (
            *("12345", "0.981", "0.00120", "1.5", "1e−09", "4,500", "yes", "a word"),
            Passage("x" * 41, long=False),
        ),
        (
            *("7", "0.500", "0.00034", "–", "1e−08", "3", "no"),
            Passage("two\nlines", long=False),
            "–",
        ),
    )


def test_a_table_may_be_empty_or_repeat_a_column() -> None:
    assert table(pd.DataFrame({"a": []})).rows == ()
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert table(twice).rows == (("1", "2"),)


def test_facts_take_values_mappings_and_tables() -> None:
    assert fact("rows", 4500).value == "4,500"
    assert fact("match", {"math": 0.5}).parts == (Setting("math", "0.5"),)
    shown = fact("methods", pd.DataFrame({"AUC": [0.5]})).table
    assert shown is not None
    assert shown.rows == (("0.500",),)
