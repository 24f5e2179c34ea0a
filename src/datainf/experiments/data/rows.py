"""Rows: how a family of classes becomes training and test rows with planted errors.

A family gives one function that drafts a row of a class; everything the families share
is here: how many rows a class gets, that no prompt is met twice, and which training
rows carry a wrong completion. A row is a plain dictionary with `prompt`, `completion`,
`class` and `planted`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

Row = dict[str, Any]


class Wording(StrEnum):
    """How the classes of a family are told apart."""

    PAPER = "paper"
    """Each class has words of its own, so that counting words finds it."""
    SHARED = "shared"
    """All classes use the same bag of words: only the order tells them apart."""


@dataclass(frozen=True)
class Draft:
    """One example before it is decided whether its completion is planted.

    Attributes:
        prompt: What the model is asked.
        right: The completion that the class asks for.
        wrong: A completion that another class would ask for; differs from `right`.
    """

    prompt: str
    right: str
    wrong: str


def build_rows(
    classes: Sequence[str],
    draft: Callable[[Random, str], Draft],
    *,
    n_train_per_class: int,
    n_test_per_class: int,
    seed: int,
    planted: float,
) -> tuple[list[Row], list[Row]]:
    """Draw the training and the test rows of a family.

    Args:
        classes: Names of the classes, in the order of the rows.
        draft: Draws one example of a class from a random generator.
        n_train_per_class: Training rows of each class.
        n_test_per_class: Test rows of each class; these are never planted.
        seed: Decides every row.
        planted: Share of all training rows that carry a wrong completion, rounded to
            the nearest row; which rows they are is drawn over all classes.

    Returns:
        Training rows and test rows. No prompt occurs twice among all of them.

    Raises:
        ValueError: If `planted` is not a share or a count is negative.
    """
    if not 0 <= planted <= 1:
        raise ValueError(f"planted must be a share between 0 and 1, got {planted}.")
    if min(n_train_per_class, n_test_per_class) < 0:
        raise ValueError(
            f"rows per class must not be negative, got {n_train_per_class} for "
            f"training and {n_test_per_class} for testing."
        )
    rng = Random(seed)
    n_train = len(classes) * n_train_per_class
    bad = set(rng.sample(range(n_train), round(planted * n_train)))
    seen: set[str] = set()
    train: list[Row] = []
    test: list[Row] = []
    for name in classes:
        for rows, count in ((train, n_train_per_class), (test, n_test_per_class)):
            for _ in range(count):
                example = _unseen(draft, rng, name, seen)
                rows.append(_row(example, name, rows is train and len(rows) in bad))
    return train, test


def _unseen(
    draft: Callable[[Random, str], Draft], rng: Random, name: str, seen: set[str]
) -> Draft:
    """Draw until the prompt is new, and remember it."""
    for _ in range(1000):
        example = draft(rng, name)
        if example.prompt not in seen:
            seen.add(example.prompt)
            return example
    raise ValueError(
        f"class {name!r} has too few different prompts for this many rows: ask for "
        "fewer rows per class."
    )


def _row(example: Draft, name: str, planted: bool) -> Row:
    """Write a draft as a row."""
    return {
        "prompt": example.prompt,
        "completion": example.wrong if planted else example.right,
        "class": name,
        "planted": planted,
    }
