"""What a person can ask of a finished run, and what comes back: no page, no model.

A task says which fields a query has; a page draws them and hands back what was given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from datainf.core.pictures import Pictures
from datainf.core.records import Scores


class Entry(StrEnum):
    """How a field is filled in, and what it then holds."""

    TEXT = "text"
    """A text of any length."""
    NUMBER = "number"
    """A real number."""
    WHOLE = "whole"
    """A whole number."""
    CHOICE = "choice"
    """One of the choices."""
    CHOICES = "choices"
    """A list of some of the choices."""
    PICTURE = "picture"
    """An image of Pillow."""


@dataclass(frozen=True)
class Field:
    """One thing that a user gives of a query.

    Attributes:
        name: Its key in what is given.
        label: Its heading.
        entry: How it is filled in.
        hint: What becomes of it when it is left empty, or what it is for.
        needed: Whether there is no query without it.
        choices: What can be chosen.
        value: What stands there at first.
        example: What a training row has there, as an example of a text.
    """

    name: str
    label: str
    entry: Entry = Entry.TEXT
    hint: str = ""
    needed: bool = False
    choices: tuple[str, ...] = ()
    value: Any = None
    example: str = ""


@dataclass(frozen=True)
class Said:
    """What the adapter itself said, where the user left that open.

    Attributes:
        heading: What it is, such as "The adapter wrote".
        text: What it said.
    """

    heading: str
    text: str


@dataclass(frozen=True, eq=False)
class Answer:
    """The sources of one query.

    Attributes:
        scores: `[1, N]`, with the training rows' texts and columns.
        query: The query, as its task describes it.
        said: What the adapter said, where it was asked.
        picture: The query's own picture, the bytes of a WebP file, where it has one.
        pictures: Small images of the strongest rows, where rows have any.
        warnings: What a reader should know.
    """

    scores: Scores
    query: str
    said: Said | None = None
    picture: bytes | None = None
    pictures: Pictures | None = None
    warnings: tuple[str, ...] = ()


@runtime_checkable
class Asker(Protocol):
    """A finished run that answers queries, one at a time."""

    @property
    def name(self) -> str:
        """The run, for a heading."""
        ...

    @property
    def scores(self) -> Scores:
        """What the run itself scored: whose scores they are and how they were made."""
        ...

    @property
    def fields(self) -> Sequence[Field]:
        """What a query is made of."""
        ...

    def ask(self, given: Mapping[str, Any], k: int) -> Answer:
        """Find the sources of a query, with pictures of k at either end."""
        ...
