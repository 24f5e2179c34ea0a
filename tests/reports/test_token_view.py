"""Tokens as the page shows them."""

from dataclasses import replace

import numpy as np

from datainf.core.token_scores import Side, TokenRow, TokenScores
from datainf.reports.render import render_report
from datainf.reports.token_view import view, views_of
from tests.reports.fakes import bare_scores
from tests.reports.unpacked import page_data

ROW = TokenRow(
    3,
    8,
    Side.TRAIN,
    ("ask: ", "<b>", "\x00", "end"),
    np.array([np.nan, -2.0, 0.5, 0.0]),
)


def test_a_token_has_its_side_its_share_and_its_score_in_words():
    prompt, proponent, opponent, nothing = view(ROW).tokens
    assert (prompt.kind, prompt.title) == ("", "")
    assert (proponent.kind, proponent.share) == ("proponent", 100.0)
    assert proponent.title == "proponent −2.000"
    assert (opponent.text, opponent.kind, opponent.share) == ("␀", "opponent", 25.0)
    assert nothing.kind == ""


def test_the_strongest_tokens_are_named_in_their_order():
    assert view(ROW).strongest == "“<b>” −2.000, “␀” +0.500"


def test_tiny_scores_are_written_with_their_power():
    row = TokenRow(0, 0, Side.QUERY, ("a",), np.array([-3e-9]))
    assert view(row).tokens[0].title == "proponent −3.000 × 10^−9"


def test_both_sides_of_a_pair_stand_together():
    other = TokenRow(3, 8, Side.QUERY, ("x",), np.array([-1.5]))
    (pair,) = views_of(TokenScores.of([ROW, other])).items()
    assert pair[0] == (3, 8)
    assert [side.heading for side in pair[1]] == [
        "By token of the training example",
        "By token of the query",
    ]
    assert views_of(None) == {}


def test_the_page_holds_the_tokens_of_a_listed_pair_and_a_legend(tmp_path):
    scores = bare_scores(np.array([[-1.5, 0.5]]))
    row = replace(ROW, query=0, train=0)
    file = render_report(scores, tmp_path / "a.html", tokens=TokenScores.of([row]))
    proponents, opponents = page_data(file)["queries"][0]["sides"]
    assert opponents["rows"][0].get("tokens") is None
    (side,) = proponents["rows"][0]["tokens"]
    assert side["heading"] == "By token of the training example"
    assert side["tokens"][1] == {
        "text": "<b>",
        "kind": "proponent",
        "share": 100.0,
        "title": "proponent −2.000",
    }
    assert '<p class="legend">' in file.read_text("utf-8")
    plain = render_report(scores, tmp_path / "b.html").read_text("utf-8")
    assert '<p class="legend">' not in plain
