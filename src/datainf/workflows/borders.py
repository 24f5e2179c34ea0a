"""Borders: whether a query's two texts meet as those of the training rows do.

A completion that lost its first space on the way to the command line is split into
other tokens than those that were learnt, and its scores are about an output that the
model never gives. Nothing is changed; it is said.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from datainf.integrations.tasks.causal_lm import CausalLM

# Rows read of each side: enough to tell a habit.
_LOOKED_AT = 200


def border_note(task: Any, train: Any, queries: Any) -> str | None:
    """Say where all training rows have a space at the border, or none, and queries not.

    Args:
        task: Of a run; only the language model's prompts with completions have borders.
        train: The training rows.
        queries: The rows that are asked about.

    Returns:
        One sentence; None where both sides are alike, or the training rows differ.

    Examples:
        >>> border_note(None, [], []) is None
        True
    """
    if not isinstance(task, CausalLM):
        return None
    habit, asked = _borders(task, train), _borders(task, queries)
    if len(set(habit)) != 1 or not asked or habit[0] in asked:
        return None
    return (
        f"{'all' if habit[0] else 'none'} of the first {len(habit)} training rows have "
        "white space where the completion begins, and "
        f"{'no query has' if habit[0] else 'every query has'}; give the outputs to the "
        'letter, such as --completion " In Rome.".'
    )


def _borders(task: CausalLM, rows: Any) -> list[bool]:
    """Tell of each row of two texts whether white space stands between them."""
    names = [task.columns.get(name, name) for name in ("prompt", "completion")]
    found = []
    for row in islice((rows[i] for i in range(len(rows))), _LOOKED_AT):
        if not isinstance(row, Mapping):
            continue
        prompt, completion = (row.get(name) for name in names)
        if isinstance(prompt, str) and isinstance(completion, str):
            found.append(any(c.isspace() for c in prompt[-1:] + completion[:1]))
    return found
