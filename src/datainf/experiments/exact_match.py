"""Exact match: the share of prompts that a model answers to the letter."""

from collections.abc import Mapping, Sequence
from typing import Any


def exact_match(answered: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> float:
    """Compare answers with completions, to the letter.

    Args:
        answered: One answer a row.
        rows: Rows with `completion`.

    Returns:
        The share that is equal, in [0, 1].

    Examples:
        >>> exact_match(["a", "b"], [{"completion": "a"}, {"completion": "c"}])
        0.5
    """
    pairs = zip(answered, rows, strict=True)
    return sum(a == row["completion"] for a, row in pairs) / len(rows)
