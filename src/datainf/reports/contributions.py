"""Which layers of the model the listed scores come from, where blocks were kept.

    score of a row = Σ over blocks of its share, so sums over rows add up likewise

Blocks are gathered into the layers of the model. G curvature groups, Q queries, N rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datainf.core.layout import Block
from datainf.core.records import Scores


@dataclass(frozen=True)
class Layer:
    """What one layer adds to the listed scores of a query.

    Attributes:
        name: Its path in the model.
        proponents: Its part of the sum of the listed proponents' scores.
        opponents: Its part of the opponents'.
    """

    name: str
    proponents: float
    opponents: float


def layers(
    scores: Scores, query: int, proponents: Sequence[int], opponents: Sequence[int]
) -> tuple[Layer, ...]:
    """Split the listed scores of a query by layer.

    Args:
        scores: With `per_block`, or nothing is known.
        query: Row of `values`.
        proponents: Places of the listed proponents.
        opponents: Places of the listed opponents.

    Returns:
        The layers in the model's order; none where blocks were not kept, or where one
        group holds everything.
    """
    if scores.per_block is None or len(scores.groups) < 2:
        return ()
    sums = [
        scores.per_block[:, query][:, list(places)].sum(axis=1, dtype=np.float64)
        for places in (proponents, opponents)
    ]
    found: dict[str, list[float]] = {}
    for group, name in enumerate(scores.groups):
        total = found.setdefault(Block(name, ()).layer, [0.0, 0.0])
        for side in range(2):
            total[side] += float(sums[side][group])
    return tuple(Layer(name, *both) for name, both in found.items())
