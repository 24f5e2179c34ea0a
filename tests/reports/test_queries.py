"""What is shown of a query is what the scores hold."""

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from datainf.reports.queries import query_sections
from tests.reports.fakes import N, Q, bare_scores, listed, nasty_scores


@pytest.mark.parametrize("order", ["proponents", "opponents"])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_listed_rows_are_those_of_top_with_the_right_sign(order: str, k: int) -> None:
    scores = nasty_scores()
    sign = -1 if order == "proponents" else 1
    for q, section in enumerate(query_sections(scores, k)):
        (side,) = [side for side in section.sides if side.name == order]
        top = listed(scores, k, order, q)
        index = scores.train["index"]
        assert [index[row.place] for row in side.rows] == top["train"].tolist()
        assert [row.score for row in side.rows] == top["score"].tolist()
        assert side.total == (np.sign(scores.values[q]) == sign).sum()
        assert side.rows


def test_every_query_has_a_section_in_order() -> None:
    found = list(query_sections(nasty_scores(), 2))
    assert [section.place for section in found] == [0, 1, 2]
    assert [section.power for section in found] == [0, 0, -7]
    assert [sum(section.chart["counts"]) for section in found] == [N] * Q


def test_bars_are_shares_of_the_largest_score() -> None:
    section = next(query_sections(bare_scores(np.array([[-4.0, 1.0, -2.0]])), 3))
    assert [[row.share for row in side.rows] for side in section.sides] == [
        [100.0, 50.0],
        [25.0],
    ]


def test_scores_that_are_all_zero_list_nobody() -> None:
    section = next(query_sections(bare_scores(np.zeros((1, 5))), 3))
    assert [(side.rows, side.total) for side in section.sides] == [((), 0), ((), 0)]


def test_data_columns_may_be_called_like_those_of_top() -> None:
    scores = bare_scores(np.array([[-1.0, 1.0, 2.0]]))
    named = {"score": "x", "query": "y", "rank": "z", "train": "t"}
    scores = scores.with_rows(train=scores.train.assign(**named))
    section = next(query_sections(scores, 1))
    assert [row.place for side in section.sides for row in side.rows] == [0, 2]


def same_texts():
    scores = bare_scores(np.array([[-7.0, -5.0, -3.0, -2.0, -1.0]]))
    texts = ["the same words", "other words here", "The same  words", None, None]
    train = scores.train.assign(text=pd.Series(texts, dtype=object))
    return scores.with_rows(train=train)


def test_near_duplicates_are_folded_and_the_next_different_ones_listed() -> None:
    proponents = next(query_sections(same_texts(), 3)).sides[0]
    assert [row.place for row in proponents.rows] == [0, 1, 3]
    assert [twin.place for twin in proponents.rows[0].twins] == [2]
    assert proponents.rows[0].twins[0].score == -3.0
    assert proponents.places == [0, 2, 1, 3]
    assert proponents.total == 5


def test_pictures_decide_what_is_a_duplicate_where_there_are_any() -> None:
    drawn: dict[Hashable, str] = {0: "data:a", 1: "data:b", 2: "data:c", 3: "data:b"}
    proponents = next(query_sections(same_texts(), 3, pictures=drawn)).sides[0]
    assert [row.place for row in proponents.rows] == [0, 1, 2]
    assert [twin.place for twin in proponents.rows[1].twins] == [3]


def test_layers_are_those_of_the_listed_rows() -> None:
    scores = replace(
        bare_scores(np.array([[-3.0, 1.0]])),
        groups=("h.0.q.lora_A.weight", "h.1.q.lora_A.weight"),
        residual=np.full((1, 2), np.nan),
        scale=np.full((1, 2), np.nan),
        per_block=np.array([[[-2.0, 2.0]], [[-1.0, -1.0]]]),
    )
    section = next(query_sections(scores, 1))
    found = [(each.name, each.proponents, each.opponents) for each in section.layers]
    assert found == [("h.0", -2.0, 2.0), ("h.1", -1.0, -1.0)]


def test_rows_without_any_text_are_never_alike() -> None:
    scores = bare_scores(np.array([[-2.0, -1.0]]))
    scores = scores.with_rows(train=pd.DataFrame({"index": [0, 1]}))
    assert [
        len(row.twins) for row in next(query_sections(scores, 2)).sides[0].rows
    ] == [
        0,
        0,
    ]
