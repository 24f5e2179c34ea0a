"""Rows to test on that no score has seen: not trained on, and not explained either.

The rows that a study explains choose what is kept, so a model that was trained on what
they chose is not judged on them alone. What is left of the validation file comes first,
then what is left of the training file with its right labels, then a test file.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from datainf.core.errors import DataError
from datainf.experiments.data.study_rows import (
    DEMO,
    HELD_OUT,
    SOURCES,
    TRAINING,
    StudyRows,
    is_short,
    rows_of,
    settled,
    study_rows,
    text_of,
)
from datainf.experiments.presets import Sample

_TEST = ("test",)
_OTHER_SEED = 1_000_003


def unseen_rows(
    name: str,
    sample: Sample,
    used: StudyRows,
    *,
    count: int,
    seed: int,
    data_dir: str | None,
) -> list[dict[str, Any]]:
    """Draw rows with right labels that differ from all rows of a seed.

    Args:
        name: A data set of `SOURCES` with labels, or `demo-lm`.
        sample: How long rows may be.
        used: The seed's own rows.
        count: How many, at most.
        seed: Draws.
        data_dir: As of `study_rows`.

    Returns:
        The rows: fewer where there are fewer.

    Raises:
        DataError: If there is none.
    """
    known = {_asked(row) for row in (*used.train, *used.validation)}
    if name == DEMO:
        # Two families of ten classes share what is held out.
        more = replace(sample, rows=20, validation_rows=2 * count)
        other = study_rows(
            DEMO, more, seed=seed + _OTHER_SEED, noisy=False, data_dir=None
        )
        return [row for row in other.validation if _asked(row) not in known]
    source, found = SOURCES[name], list[dict[str, Any]]()
    for splits in (HELD_OUT[:-1], TRAINING, _TEST):
        if len(found) == count:
            break
        try:
            dataset = rows_of(name, data_dir, splits)
        except DataError:
            continue  # hardly any folder has all three
        left = [
            i
            for i, row in enumerate(dataset)
            if is_short(row, sample.max_words)
            and 0 <= row["label"] < source.classes  # secret ones are written -1
            and _asked(row) not in known
        ]
        order = np.random.default_rng(seed).permutation(left)[: count - len(found)]
        found += [dict(dataset[int(i)]) for i in sorted(order)]
    if not found:
        raise DataError(
            f"no row of {name} is left to test on: {len(used.train)} are trained on "
            f"and {len(used.validation)} explained; train on fewer (--train-rows), or "
            "give data with a test file."
        )
    if source.truth is not None:
        found = [settled(row, source.truth, noisy=False) for row in found]
    return found


def _asked(row: Mapping[str, Any]) -> str:
    """Give what a model is asked; the demo's wrong answers stand to right prompts."""
    return str(row.get("prompt") or text_of(row))
