"""Where the command line speaks: results to stdout, everything else to stderr."""

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from datainf.core.errors import DatainfWarning


def stderr() -> Console:
    """Give a console on stderr, whatever stderr is at this moment."""
    return Console(
        file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True
    )


def tell(text: str) -> None:
    """Write to stderr, in which nothing is taken for markup.

    Args:
        text: One or more lines.
    """
    stderr().print(printable(text))


def complain(kind: str, message: str) -> None:
    """Write one line about a problem.

    Args:
        kind: `error` or `warning`.
        message: What is wrong; line breaks become spaces.
    """
    tell(f"datainf: {kind}: {plain(message)}")


class Bars:
    """A reporter that draws bars with the time left.

    Where stderr is no terminal, a stage leaves one line when it ends.
    """

    def say(self, text: str) -> None:
        """Write one finding."""
        tell(text)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[float], None]]:
        """Draw a bar for one stage."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=stderr(),
        ) as progress:
            bar = progress.add_task(title, total=total)
            yield lambda steps: progress.advance(bar, steps)


@contextmanager
def warnings_as_lines(*, shown: bool = True) -> Iterator[None]:
    """Show our own warnings as single lines, each once, and nobody else's.

    Args:
        shown: Whether to show any.

    Yields:
        Nothing.
    """
    seen: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,  # noqa: ARG001 - signature of warnings.showwarning
        lineno: int,  # noqa: ARG001
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        ours = issubclass(category, DatainfWarning)
        if shown and ours and str(message) not in seen:
            seen.add(str(message))
            complain("warning", str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", DatainfWarning)
        warnings.showwarning = show
        yield


def plain(value: Any) -> str:
    """Write one cell of a table.

    Args:
        value: A number, a text, anything.

    Returns:
        Four significant digits for a broken number, a dash for none; one line for a
        text, in which characters that would steer the terminal are blank.
    """
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return " ".join(printable(str(value)).split())


def printable(text: str) -> str:
    """Blank the characters that would steer the terminal; line breaks stay.

    Args:
        text: Anything, from data or from an error.

    Returns:
        A text of the same length.
    """
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
