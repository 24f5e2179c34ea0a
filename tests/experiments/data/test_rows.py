"""Rows of a family: what is refused."""

import re

import pytest

from datainf.experiments.data.rows import Draft, build_rows


def only_one(_rng, name):
    return Draft(prompt=name, right="yes", wrong="no")


def test_a_class_that_runs_out_of_prompts_is_refused():
    message = (
        "class 'a' has too few different prompts for this many rows: ask for fewer "
        "rows per class."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build_rows(
            ("a", "b"),
            only_one,
            n_train_per_class=1,
            n_test_per_class=1,
            seed=0,
            planted=0.0,
        )


def test_test_rows_are_never_planted_even_when_all_training_rows_are():
    train, test = build_rows(
        ("a",),
        lambda rng, _name: Draft(prompt=str(rng.random()), right="yes", wrong="no"),
        n_train_per_class=3,
        n_test_per_class=2,
        seed=0,
        planted=1.0,
    )
    assert [row["completion"] for row in train] == ["no"] * 3
    assert [row["completion"] for row in test] == ["yes"] * 2
