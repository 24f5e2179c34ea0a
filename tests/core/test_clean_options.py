"""The options of `clean` and `select`: checked alone and against each other."""

import re
from typing import Any

import pytest

from datainf.core.clean_options import Action, By, CleanOptions, SelectOptions
from datainf.core.errors import OptionError


def refused(message: str) -> Any:
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


def test_words_and_numbers_are_settled():
    made = CleanOptions(action="relabel", count=7, sure=0.5)
    assert (made.action, made.count, made.sure) == (Action.RELABEL, 7, 0.5)
    assert SelectOptions(count=5, by="best").by is By.BEST


@pytest.mark.parametrize("given", [{}, {"count": 3, "share": 0.1}])
def test_how_many_is_said_once(given):
    with refused(
        "say how many rows: either count (--count 30) or share (--share 0.1)."
    ):
        CleanOptions(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"share": 0}, "share must be above 0 and below 1, got 0."),
        ({"sure": 0.5}, "sure says when to relabel; give action=relabel too."),
        (
            {"tool": "argilla"},
            "tool='argilla' is for a review queue; give action=review.",
        ),
        (
            {"action": "review", "retrain": True, "test": "t.tsv"},
            "a review queue changes no data, so there is nothing to retrain; drop or "
            "relabel rows, or leave retrain out.",
        ),
        (
            {"retrain": True},
            "retrain compares on rows that chose no suspect; give them with test "
            "(--test FILE). To split one file, score with --queries-limit 200 and give "
            "the whole file as --test: the rows that were used are left out.",
        ),
        (
            {"test": "t.tsv"},
            "test, test_split and retrain_seeds belong to retrain; give it too.",
        ),
        (
            {"retrain_seeds": 3},
            "test, test_split and retrain_seeds belong to retrain; give it too.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    how_many: dict[str, Any] = {} if "share" in given else {"count": 3}
    with refused(message):
        CleanOptions(**how_many, **given)


def test_a_share_is_of_the_scored_rows():
    assert CleanOptions(share=0.2).how_many(11) == 2
    assert CleanOptions(count=5).how_many(11) == 5


@pytest.mark.parametrize(
    ("given", "said"), [({"count": 11}, "count=11"), ({"share": 0.01}, "share=0.01")]
)
def test_some_rows_are_chosen_and_some_are_left(given, said):
    chosen = 11 if "count" in given else 0
    with refused(
        f"{said} of 11 scored rows is {chosen}; it must be at least 1 and leave at "
        "least 1."
    ):
        CleanOptions(**given).how_many(11)


def test_a_selection_needs_a_number():
    with refused("count must be a whole number of at least 1, got 0."):
        SelectOptions()
