"""The text generation tasks by name: three families of ten classes, in two wordings.

    sentences     ten chatbots, each with one rule for any sentence
    math          ten kinds of word problems, the answer alone
    math-reason   the same, with the steps before the answer

each `-paper` (every class has words of its own, as published) and `-shared` (all
classes use the same words, whose order alone tells them apart).
"""

from collections.abc import Callable, Mapping
from functools import partial

from datainf.experiments.data.math_problems import math_problems
from datainf.experiments.data.rows import Row, Wording
from datainf.experiments.data.sentence_transformations import sentence_transformations

CLASSES = 10
_FAMILIES: Mapping[str, Callable[..., tuple[list[Row], list[Row]]]] = {
    "sentences": sentence_transformations,
    "math": partial(math_problems, reason=False),
    "math-reason": partial(math_problems, reason=True),
}
FAMILIES = tuple(_FAMILIES)
TEXT_TASKS: Mapping[str, tuple[str, Wording]] = {
    f"{family}-{wording}": (family, wording)
    for family in FAMILIES
    for wording in Wording
}
"""Name -> family and wording."""


def text_rows(
    name: str, *, rows: int, held_out: int, seed: int
) -> tuple[list[Row], list[Row]]:
    """Generate the rows of one task.

    Args:
        name: Of `TEXT_TASKS`.
        rows: Training rows of all classes; each gets a tenth, and at least one.
        held_out: Likewise.
        seed: Decides every row.

    Returns:
        Training and held-out rows with `prompt`, `completion`, `class` and `planted`.
    """
    family, wording = TEXT_TASKS[name]
    return _FAMILIES[family](
        max(1, rows // CLASSES),
        max(1, held_out // CLASSES),
        seed,
        wording=wording,
    )
