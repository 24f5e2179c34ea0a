"""Percentile bootstrap: between which values a measure lies, had the rows been others.

Rows are drawn with replacement, the measure is taken again, and the interval holds the
middle `level` of the draws (Efron, 1979). It speaks of the sampled rows only: not of
other seeds of training, nor of a bias of the measure.

Cost: `draws` times the measure.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from datainf.core.errors import DataError, OptionError


class Interval(NamedTuple):
    """Where the middle of the bootstrap draws lies."""

    low: float
    high: float


def bootstrap_interval(
    measure: Callable[..., float],
    *columns: ArrayLike,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Give the bootstrap interval of a measure over rows.

    Resamples on which the measure is not defined (it raises `DataError`, as an AUC does
    on rows of one kind) are drawn again; the interval is then that of defined draws.

    Args:
        measure: Takes the columns, gives a number.
        *columns: What the measure takes, each with one entry a row, drawn together.
        draws: Number of resamples.
        level: Share of the draws inside.
        seed: Equal seeds, equal intervals.

    Returns:
        The lower and the upper end.

    Raises:
        OptionError: If `draws` or `level` is out of range, or no column is given.
        DataError: If columns differ in length, or hold too few rows of a kind for the
            measure to be defined on half of the resamples.

    Example:
        >>> low, high = bootstrap_interval(np.mean, [1.0, 2.0, 3.0, 4.0, 5.0], seed=1)
        >>> 1 < low < 3 < high < 5
        True
    """
    if draws < 1 or not 0 < level < 1:
        raise OptionError(
            "bootstrap: draws must be at least 1 and level between 0 and 1, got "
            f"draws={draws} and level={level}."
        )
    arrays = [np.asarray(column) for column in columns]
    lengths = {len(array) for array in arrays}
    if not arrays or lengths == {0}:
        raise OptionError("bootstrap: give at least one column with at least one row.")
    if len(lengths) > 1:
        raise DataError(
            "bootstrap: columns must be of the same rows, got lengths "
            f"{', '.join(str(len(array)) for array in arrays)}."
        )
    # Raises here what is wrong with the rows as they are.
    measure(*arrays)
    (rows,) = lengths
    rng = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(2 * draws):
        chosen = rng.integers(rows, size=rows)
        try:
            found.append(float(measure(*(array[chosen] for array in arrays))))
        except DataError:
            continue
        if len(found) == draws:
            break
    if len(found) < draws:
        raise DataError(
            f"bootstrap: the measure is defined on {len(found)} of {2 * draws} "
            "resamples of these rows; there are too few rows of a kind for an interval."
        )
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Interval(float(low), float(high))
