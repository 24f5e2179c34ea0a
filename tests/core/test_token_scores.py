"""Token scores as a table, as text, and as a file."""

import re

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import OptionError, StoreError
from datainf.core.token_scores import Side, TokenRow, TokenScores

ROWS = [
    TokenRow(3, 8, Side.TRAIN, ("2+2=", "4", "\n."), np.array([np.nan, -2.0, 0.5])),
    TokenRow(3, 8, Side.QUERY, ("1+1=", "2"), np.array([np.nan, -1.5])),
]


def test_the_table_gives_back_what_it_was_made_of():
    found = list(TokenScores.of(ROWS))
    for row, wanted in zip(found, ROWS, strict=True):
        assert (row.query, row.train, row.side) == (3, 8, wanted.side)
        assert row.tokens == wanted.tokens
        np.testing.assert_array_equal(row.scores, wanted.scores)
        assert row.total == -1.5


def test_tokens_without_a_score_are_not_in_the_table_for_people():
    found = TokenScores.of(ROWS).to_pandas()
    assert found["token"].tolist() == ["4", "\n.", "2"]
    assert found["position"].tolist() == [1, 2, 1]


def test_the_strongest_tokens_are_shown_with_their_text():
    shown = TokenScores.of(ROWS).show(strongest=1)
    assert shown == (
        "query 3, train 8: -1.5, by token of the training example\n"
        "  2+2=4\n  .\n  '4' -2\n"
        "query 3, train 8: -1.5, by token of the query\n  1+1=2\n  '2' -1.5"
    )


def test_no_pairs_make_an_empty_table():
    assert list(TokenScores.of([])) == []


def test_saved_token_scores_are_loaded_equal(tmp_path):
    file = TokenScores.of(ROWS).save(tmp_path / "tokens.parquet")
    pd.testing.assert_frame_equal(
        TokenScores.load(file).table, TokenScores.of(ROWS).table
    )


def test_other_columns_are_refused():
    message = (
        "token scores must have the columns query, train, side, position, token, "
        "score, got a."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        TokenScores(pd.DataFrame({"a": [1]}))


@pytest.mark.parametrize("content", [b"", b"something else"])
def test_a_damaged_file_is_refused(tmp_path, content):
    file = tmp_path / "tokens.parquet"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="holds no token scores"):
        TokenScores.load(file)
