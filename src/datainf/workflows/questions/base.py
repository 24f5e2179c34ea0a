"""Question: how what a user gives becomes one example of a task.

What the user leaves open the adapter says itself: it writes, classifies or draws.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from datainf.core.questions import Field, Said


@dataclass(frozen=True)
class Posed:
    """One query, ready to be collected.

    Attributes:
        example: A row of the task.
        said: What the adapter said of it, where it was asked.
    """

    example: Mapping[str, Any]
    said: Said | None = None


@dataclass(frozen=True)
class Question(ABC):
    """What can be asked of a run.

    Attributes:
        model: The adapted model, in eval mode.
        task: Its task.
        dataset: The training rows, whose shape a query takes.
    """

    model: nn.Module
    task: Any
    dataset: Any

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """What a query is made of."""

    @abstractmethod
    def posed(self, given: Mapping[str, Any], folder: Path) -> Posed:
        """Make an example of what was given.

        Args:
            given: Name of a field -> its value; fields that were left empty are absent,
                those that are needed are there.
            folder: Where something may be kept for as long as the run is asked.

        Returns:
            The example, and what the adapter said.
        """

    @property
    def first(self) -> Mapping[str, Any]:
        """The first training row: its shape is that of a query."""
        row: Mapping[str, Any] = self.dataset[0]
        return row
