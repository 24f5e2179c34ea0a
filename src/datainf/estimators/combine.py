"""Scores of several checkpoints as one: their weighted sum.

The residual is the worst of the checkpoints, with the scale found there: a sum is
solved no better than its worst part. M checkpoints, Q queries, N candidates, G groups.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datainf.core.records import Scores


def combined(parts: Iterable[tuple[str, float, Scores]]) -> Scores:
    """Add up scores with weights, one checkpoint after the other.

    Args:
        parts: Name, weight and scores of each checkpoint, at least one; all of one
            shape and the same groups. Read once, so that two need not exist together.

    Returns:
        Their sum. Where a part's system was solved, `residual` is the largest and
        `scale` the one that belongs to it; notes say whose they are.
    """
    stream = iter(parts)
    name, weight, first = next(stream)
    weights, notes = [weight], [(name, first.provenance.notes)]
    values = first.values * weight
    per_block = None if first.per_block is None else first.per_block * weight
    residual, scale = first.residual.copy(), first.scale.copy()
    for name, weight, part in stream:
        values += part.values * weight
        if per_block is not None and part.per_block is not None:
            per_block += part.per_block * weight
        # NaN where no system was solved gives way to what was
        worse = ~(part.residual <= residual) & ~np.isnan(part.residual)
        residual[worse], scale[worse] = part.residual[worse], part.scale[worse]
        weights.append(weight)
        notes.append((name, part.provenance.notes))
    made = first.provenance
    if weights != [1.0]:
        options = {**made.options, "checkpoint_weights": weights}
        made = replace(made, options=options, notes=tuple(_said(notes)))
    return replace(
        first,
        values=values,
        per_block=per_block,
        residual=residual,
        scale=scale,
        provenance=made,
    )


def _said(notes: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """Give every note once, with the checkpoints that it is of unless it is of all."""
    for note in dict.fromkeys(note for _, mine in notes for note in mine):
        whose = [name for name, mine in notes if note in mine]
        yield note if len(whose) == len(notes) else f"{', '.join(whose)}: {note}"


def times_columns(scores: Scores, factors: NDArray[np.floating]) -> Scores:
    """Multiply every candidate's scores with a number of its own.

    Args:
        scores: `[Q, N]`.
        factors: `[N]`.

    Returns:
        The products, in the scores' dtype.
    """
    factors = factors.astype(scores.values.dtype)
    kept = scores.per_block
    return replace(
        scores,
        values=scores.values * factors,
        per_block=None if kept is None else kept * factors,
    )
