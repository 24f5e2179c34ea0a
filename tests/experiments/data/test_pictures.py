"""Generated pictures: the style alone tells classes apart, and the seed decides all."""

import numpy as np
import pytest

from datainf.experiments.data.pictures import (
    COLORS,
    SHAPES,
    SIDE,
    STYLES,
    TUNED,
    WORDS,
    caption_of,
    drawn_rows,
)


def test_the_seed_decides_every_picture() -> None:
    first, again = (drawn_rows(STYLES, 2, 7) for _ in range(2))
    assert [row["text"] for row in first] == [row["text"] for row in again]
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(np.array(one["image"]), np.array(other["image"]))
    assert [row["text"] for row in drawn_rows(STYLES, 2, 8)] != [
        row["text"] for row in first
    ]


def test_styles_come_in_turns_and_stand_in_the_caption() -> None:
    rows = drawn_rows(TUNED, 3, 0)
    assert [row["class"] for row in rows] == [*TUNED] * 3
    for row in rows:
        assert row["image"].size == (SIDE, SIDE)
        style, _, rest = row["text"].partition(" style: a ")
        color, shape, _, ground = rest.split()
        assert style == row["class"]
        assert color != ground
        assert {color, ground} <= COLORS.keys()
        assert shape in SHAPES


def test_every_word_of_a_caption_is_known() -> None:
    for style in STYLES:
        for shape in SHAPES:
            text = caption_of(style, "red", shape, "blue").replace(":", " :")
            assert set(text.split()) <= set(WORDS)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_draws_the_same_things_in_its_own_way(style: str) -> None:
    others = [other for other in STYLES if other != style]
    (mine,) = drawn_rows([style], 1, 3)
    for other in others:
        (theirs,) = drawn_rows([other], 1, 3)
        assert (
            theirs["text"].partition(" style")[2] == mine["text"].partition(" style")[2]
        )
        assert not np.array_equal(np.array(mine["image"]), np.array(theirs["image"]))


def test_every_picture_shows_something() -> None:
    for row in drawn_rows(STYLES, 30, 1):
        assert np.array(row["image"]).std(axis=(0, 1)).max() > 5, row["text"]
