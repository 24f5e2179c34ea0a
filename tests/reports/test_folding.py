"""Near-duplicates fold, other texts do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datainf.reports.folding import alike, folded, shingles

LONG = "The quick brown fox jumps over the lazy dog while the cat looks on and yawns. "


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("one two", "ONE  two\n", True),
        (LONG * 2, LONG * 2 + "!", True),
        ("tom has 3 apples and buys 4", "tom has 7 apples and buys 2", False),
        ("fine film → positive", "fine film → negative", False),
        ("plain text 10", "plain text 11", False),
        ("", "", True),
        ("", "a", False),
        (LONG * 100, LONG * 100 + "another end", True),  # beyond what is compared
    ],
)
def test_texts_are_alike_when_they_say_the_same_again(a, b, expected):
    assert alike(shingles(a), shingles(b)) is expected


@given(st.text(max_size=31), st.text(max_size=31))
def test_likeness_is_that_of_jaccard(a, b):
    one, other = shingles(a), shingles(b)
    assert alike(one, other) == (10 * len(one & other) >= 9 * len(one | other))
    assert alike(one, other) == alike(other, one)


def test_at_most_so_many_sets_are_kept_and_every_repeat_of_them():
    runs = [shingles(t) for t in ("aaaaaaa", "bbbbbbb", "ccccccc", "aaaaaaa")]
    assert folded(runs, 2) == [[0, 3], [1]]
    assert folded([None, None], 5) == [[0], [1]]
    assert folded([], 5) == []
