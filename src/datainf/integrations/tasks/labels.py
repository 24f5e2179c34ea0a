"""Class labels: numbers from 0, or names that stand in the order of the numbers.

Nothing is guessed: a label that is no class is refused with its row. C classes.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datainf.core.errors import DataError, OptionError, near
from datainf.integrations.tasks.tokens import brief


@dataclass(frozen=True)
class Classes:
    """The classes that labels are taken from.

    Attributes:
        names: Class names in the order of the class numbers, when rows hold names.
        count: C; known from `names` when they are given, None when it is not known.

    Examples:
        >>> Classes(("bad", "good"), 2).number("good", {"label": "good"})
        1
    """

    names: tuple[str, ...] | None
    count: int | None

    @classmethod
    def of(cls, names: Sequence[str] | None, count: int | None) -> "Classes":
        """Settle what a user says about the classes.

        Args:
            names: The option `labels`.
            count: The option `num_labels`.

        Returns:
            The classes, counted where they are named.

        Raises:
            OptionError: If a name occurs twice, or the count contradicts the names.
        """
        if names is None:
            return cls(None, count)
        found = tuple(names)
        if len(set(found)) != len(found):
            raise OptionError(f"labels must differ, got {', '.join(found)}.")
        if count not in (None, len(found)):
            raise OptionError(
                f"num_labels={count} contradicts the {len(found)} labels "
                "that are named; leave it out."
            )
        return cls(found, len(found))

    def number(self, given: Any, row: Mapping[str, Any], else_: str = "") -> int:
        """Give the number of a class.

        Args:
            given: A number from 0, or a name.
            row: Where it stands, for the message.
            else_: What else may be meant by a label that is no class number, for the
                message.

        Returns:
            A number from 0, below C where that is known.

        Raises:
            DataError: If it is no class.
        """
        where = f"in the row {brief(row)}"
        if isinstance(given, str) and self.names is not None:
            if given not in self.names:
                raise DataError(
                    f"label {given!r} is unknown {where}: {near(given, self.names)}."
                )
            return self.names.index(given)
        try:
            label = int(given) if isinstance(given, str) else operator.index(given)
        except (TypeError, ValueError):
            raise DataError(
                f"label {given!r} is no class number {where}; make the column whole "
                "numbers from 0, or give the class names in the order of training as "
                f"labels= (--task-option 'labels=[bad, good]'){else_}."
            ) from None
        if label < 0 or (self.count is not None and label >= self.count):
            top = "" if self.count is None else f" to {self.count - 1}"
            raise DataError(
                f"label {label} is outside of the classes 0{top or ' and up'} {where}; "
                "correct the row or take it out."
            )
        return label

    def name(self, number: int) -> str:
        """Write a class: its name where there is one."""
        return str(number) if self.names is None else self.names[number]


def require_known_classes(highest: int, count: int) -> None:
    """Refuse a label beyond what the model's head can say.

    Args:
        highest: The highest label of a batch.
        count: C of the model's head.

    Raises:
        DataError: If the label is no class of the model.
    """
    if highest >= count:
        raise DataError(
            f"label {highest} is outside of the model's classes 0 to {count - 1}; "
            "correct the data, or train a head with more classes."
        )
