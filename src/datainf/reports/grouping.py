"""Mean influence of groups of training examples, by every column that makes groups.

A column makes groups when it holds at least 2 and at most 60 different values. Q
queries, N training examples.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from datainf.core.records import Scores
from datainf.reports.visible import shown, visible

_MOST = 60
_DRAWN_APART = ("index", "text")


@dataclass(frozen=True)
class Grouping:
    """The groups of one column.

    Attributes:
        column: Its name.
        names: The groups, in order of first appearance.
        counts: Their sizes.
        means: `[Q, groups]`: the mean score of a group's examples.
    """

    column: str
    names: tuple[str, ...]
    counts: tuple[int, ...]
    means: Float[np.ndarray, "Q groups"]


def groupings(scores: Scores) -> list[Grouping]:
    """Group the training examples by each column of theirs.

    Args:
        scores: The columns are those of `train`.

    Returns:
        One grouping a column that makes groups.
    """
    found = []
    for place, column in enumerate(scores.train.columns):
        if column in _DRAWN_APART:
            continue
        labels = [shown(value) for value in scores.train.iloc[:, place]]
        codes = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        if not 2 <= len(codes) <= _MOST:
            continue
        belongs = np.zeros((len(labels), len(codes)))
        belongs[np.arange(len(labels)), [codes[label] for label in labels]] = 1.0
        counts = belongs.sum(axis=0)
        means = scores.values.astype(np.float64) @ (belongs / counts)
        sizes = tuple(int(count) for count in counts)
        found.append(Grouping(visible(str(column)), tuple(codes), sizes, means))
    return found
