"""The paper's text tasks by name: what is asked, in which wording.

Three tasks of ten classes (Kwon et al., ICLR 2024, section 5.2): sentence
transformations, and math problems answered by the number alone or by the steps that
lead to it. Each in two wordings: `paper`, where every class has words of its own, and
`shared`, where the classes differ in their rule only, so that counting words tells
nothing.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from datainf.experiments.data.math_problems import math_problems
from datainf.experiments.data.rows import Row, Wording
from datainf.experiments.data.sentence_transformations import sentence_transformations

CLASSES = 10
_TASKS: Mapping[str, Callable[..., tuple[list[Row], list[Row]]]] = {
    "sentences": sentence_transformations,
    "math": partial(math_problems, reason=False),
    "math-reason": partial(math_problems, reason=True),
}
TEXT_TASKS: Mapping[str, Callable[..., tuple[list[Row], list[Row]]]] = {
    f"{name}-{wording}": partial(generate, wording=wording)
    for name, generate in _TASKS.items()
    for wording in Wording
}
"""Name and wording -> what generates its rows."""


def text_rows(
    name: str, *, rows: int, held_out: int, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Generate the rows of one text task.

    Args:
        name: Of `TEXT_TASKS`.
        rows: Training rows, ten classes of equal size.
        held_out: Held-out rows, likewise.
        seed: Decides every row.

    Returns:
        Training rows and held-out rows with `prompt`, `completion` and `class`; none
        of them is planted.
    """
    train, test = TEXT_TASKS[name](
        n_train_per_class=max(1, rows // CLASSES),
        n_test_per_class=max(1, held_out // CLASSES),
        seed=seed,
    )
    return train, test


def prompts_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give rows whose whole text is the prompt, as the published code reads them.

    Args:
        rows: With `prompt`.

    Returns:
        Rows with `text`.
    """
    return [{"text": row["prompt"]} for row in rows]
