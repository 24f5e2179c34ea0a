"""A space lost between prompt and completion is said, and nothing else is."""

import pytest

from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.workflows.borders import border_note
from tests.tiny_models import tiny_tokenizer

SPACED = {"prompt": "a", "completion": " b"}
BROKEN = {"prompt": "a\n", "completion": "b"}
TIGHT = {"prompt": "a", "completion": "b"}
LETTERS = '; give the outputs to the letter, such as --completion " In Rome.".'


def note(train, queries):
    return border_note(CausalLM(tiny_tokenizer()), train, queries)


def test_a_lost_space_is_said():
    assert note([SPACED, BROKEN], [TIGHT]) == (
        "all of the first 2 training rows have white space where the completion "
        f"begins, and no query has{LETTERS}"
    )


def test_a_space_too_many_is_said():
    assert note([TIGHT], [SPACED, BROKEN]) == (
        "none of the first 1 training rows have white space where the completion "
        f"begins, and every query has{LETTERS}"
    )


@pytest.mark.parametrize(
    ("train", "queries"),
    [
        ([SPACED], [BROKEN]),
        ([SPACED, TIGHT], [TIGHT]),
        ([SPACED], [TIGHT, SPACED]),
        ([{"text": "ab"}], [TIGHT]),
        ([["a", "b"]], [TIGHT]),
    ],
    ids=["alike", "mixed", "some", "no border", "no mapping"],
)
def test_nothing_is_said_where_nothing_is_wrong(train, queries):
    assert note(train, queries) is None


def test_other_tasks_have_no_borders():
    assert border_note(object(), [SPACED], [TIGHT]) is None
