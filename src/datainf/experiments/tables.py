"""Tables and sentences of the pages in `docs/results`, written from records alone."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datainf.evaluation.seeds import SeedMean, seed_mean

DASH = "–"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table.

    Args:
        head: The columns' names.
        rows: The cells.

    Returns:
        Its lines.

    Examples:
        >>> print(markdown_table(["a", "b"], [["1", "2"]]))
        | a | b |
        |---|---|
        | 1 | 2 |
    """
    lines = [list(head), ["---"] * len(head), *(list(row) for row in rows)]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    texts[1] = "|" + "---|" * len(head)
    return "\n".join(texts)


def share(value: float | None) -> str:
    """Write a number between −1 and 1 without its leading zero.

    Args:
        value: The number; None or NaN where there is none.

    Returns:
        Three digits.

    Examples:
        >>> [share(x) for x in (0.7934, -0.5, 1.0, None)]
        ['.793', '−.500', '1.000', '–']
    """
    if value is None or math.isnan(value):
        return DASH
    text = f"{abs(value):.3f}"
    text = text[1:] if text.startswith("0") else text
    return f"−{text}" if value < 0 and text != ".000" else text


def with_interval(found: SeedMean) -> str:
    """Write a mean with its interval.

    Args:
        found: Of numbers between −1 and 1.

    Returns:
        Such as ".793 (.772–.811)"; the mean alone for one seed.
    """
    if math.isnan(found.low):
        return share(found.mean)
    return f"{share(found.mean)} ({share(found.low)} to {share(found.high)})"


def mean_text(values: Sequence[float | None]) -> str:
    """Write the mean over seeds with its interval.

    Args:
        values: One number a seed; None and NaN are not defined and counted.

    Returns:
        The text, which says how many are left out where any is.
    """
    known = [v for v in values if v is not None and not math.isnan(v)]
    if not known:
        return DASH
    left_out = len(values) - len(known)
    said = f" [{left_out} undefined]" if left_out else ""
    return with_interval(seed_mean(known)) + said


def short(value: float | None) -> str:
    """Write a size, a time or a residual with two digits.

    Args:
        value: The number; None where there is none.

    Returns:
        Such as "0.0012", "1.2" or "120".
    """
    if value is None or math.isnan(value):
        return DASH
    if value == 0:
        return "0"
    digits = 1 - math.floor(math.log10(abs(value)))
    return (
        f"{round(value, digits):.{max(digits, 0)}f}"
        if abs(value) >= 1e-4
        else (f"{value:.0e}")
    )


def listed(names: Sequence[str]) -> str:
    """Join names as in a sentence.

    Args:
        names: At least one.

    Returns:
        Such as "a, b and c".
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def with_ends(one: Mapping[str, Any], value: str = "lds") -> str:
    """Write a number with its interval.

    Args:
        one: The number under its name, and `low` and `high`.
        value: Its name.

    Returns:
        As in ".28 (.18 to .36)".
    """
    return f"{share(one[value])} ({share(one['low'])} to {share(one['high'])})"
