"""What gradients were made from: what counts, what does not, and what differs."""

import dataclasses

import pytest

from datainf.core.identity import Identity

MINE = Identity("base", "adapter", {"max_length": 128, "name": "t"}, "data", {"p": "x"})


def test_model_leaves_data_and_names_for_people_out():
    other = dataclasses.replace(MINE, data="other", about={})
    assert other.model == MINE.model


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"base": "b2"}, "another base model"),
        ({"adapter": "a2"}, "another adapter"),
        (
            {"task": {"max_length": 64, "name": "t"}},
            "task max_length: 128 against 64",
        ),
        ({"task": {"name": "t"}}, "task max_length: 128 against None"),
        (
            {"task": {"max_length": 128, "name": "t", "turns": "all"}},
            "task turns: None against 'all'",
        ),
    ],
)
def test_each_difference_is_named_and_makes_another_model(change, phrase):
    other = dataclasses.replace(MINE, **change)
    assert MINE.differences(other) == [phrase]
    assert MINE.model != other.model


def test_of_two_tasks_only_the_names_are_told_apart():
    other = dataclasses.replace(MINE, task={"name": "u", "reduction": "mean"})
    assert MINE.differences(other) == ["task name: 't' against 'u'"]


def test_other_data_differ_only_where_they_count():
    other = dataclasses.replace(MINE, data="other")
    assert MINE.differences(other) == ["other data"]
    assert MINE.differences(other, data=False) == []


def test_names_for_people_are_never_compared():
    other = dataclasses.replace(MINE, about={"p": "y"})
    assert other == MINE
    assert MINE.differences(other) == []


def test_a_dictionary_gives_the_same_back():
    again = Identity.from_dict(MINE.to_dict())
    assert again == MINE
    assert again.about == MINE.about


def test_a_dictionary_without_names_for_people_is_read():
    value = {k: v for k, v in MINE.to_dict().items() if k != "about"}
    assert Identity.from_dict(value).about == {}
