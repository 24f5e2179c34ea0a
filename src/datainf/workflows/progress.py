"""The seam through which workflows talk: sentences, and stages with a known length.

Workflows never print. In a program the sentences go to the logger `datainf`; the
command line passes a reporter that draws bars with the time left.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

Advance = Callable[[float], None]


@runtime_checkable
class Reporter(Protocol):
    """What a workflow tells while it works."""

    def say(self, text: str) -> None:
        """Tell one finding, of one or more lines."""
        ...

    def stage(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Open a stage of `total` steps; the scope gives what counts steps done."""
        ...


def _nothing(steps: float) -> None:
    """Count steps nowhere."""
    del steps


class Logged:
    """The default reporter: sentences to the logger `datainf`, stages silent."""

    def say(self, text: str) -> None:
        """Log one finding."""
        logging.getLogger("datainf").info(text)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Log that a stage begins."""
        logging.getLogger("datainf").info("%s: %d", title, total)
        yield _nothing
