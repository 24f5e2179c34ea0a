"""What gradients were made from: what counts, what does not, and what differs."""

import dataclasses

import pytest

from datainf.core.identity import Identity, identity_of
from datainf.core.side_projection import SideProjection

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
            {"task": MINE.projected(SideProjection(5, 3)).task},
            "projection: none against project=5, project_seed=3",
        ),
        (
            {"task": {**MINE.task, "projection": "linear"}},
            "task projection: None against 'linear'",
        ),
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


LOSS = Identity("b", "a", {"name": "t", "max_length": 5}, "d")


def at(**output: object) -> Identity:
    return dataclasses.replace(LOSS, task={**LOSS.task, "output": output})


def test_what_is_differentiated_is_the_loss_unless_the_task_says_so():
    assert LOSS.output == {"name": "loss"}
    assert at(name="margin").output == {"name": "margin"}
    own = dataclasses.replace(LOSS, task={"name": "t", "output": "logits"})
    assert own.output == {"name": "loss"}
    assert own.of_the_loss is own


def test_of_the_loss_leaves_out_what_is_differentiated_and_nothing_else():
    assert LOSS.of_the_loss is LOSS
    drawn = at(name="sampled", samples=2, sample_seed=0)
    assert drawn.of_the_loss == LOSS
    assert drawn.model != LOSS.model


def test_outputs_that_differ_are_named_and_so_is_how_labels_are_drawn():
    two, four = (at(name="sampled", samples=n, sample_seed=7) for n in (2, 4))
    assert LOSS.differences(two) == ["output: loss against sampled"]
    assert two.differences(four) == ["samples: 2 against 4"]
    assert two.differences(at(name="sampled", samples=2, sample_seed=8)) == [
        "sample_seed: 7 against 8"
    ]
    other = dataclasses.replace(four, task={**four.task, "max_length": 6})
    assert at(name="margin").differences(other) == [
        "task max_length: 5 against 6",
        "output: margin against sampled",
    ]


def test_what_carries_no_identity_has_none():
    assert identity_of(object()) is None
    assert identity_of(type("Rows", (), {"identity": LOSS})()) is LOSS
