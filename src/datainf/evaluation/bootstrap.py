"""Percentile bootstrap: between which values a measure lies, had the rows been others.

Rows are drawn with replacement, the measure is taken again, and the interval holds the
middle `level` of the draws (Efron, 1979). It speaks of the sampled rows only: not of
other seeds of training, nor of a bias of the measure.

Where a table has two kinds of rows that both are samples, such as queries and subsets,
both are drawn (`crossed_draws`).

Cost: `draws` times the measure.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
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

    Examples:
        >>> low, high = bootstrap_interval(np.mean, [1.0, 2.0, 3.0, 4.0, 5.0], seed=1)
        >>> 1 < low < 3 < high < 5
        True
    """
    _check(draws, level)
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

    def once(rng: np.random.Generator) -> float:
        chosen = rng.integers(rows, size=rows)
        return float(measure(*(array[chosen] for array in arrays)))

    return interval_of(_defined(once, draws, seed), level)


def crossed_draws(
    measure: Callable[[Int[np.ndarray, " A"], Int[np.ndarray, " B"]], float],
    sizes: tuple[int, int],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Float[np.ndarray, " draws"]:
    """Measure resamples of both sides of a table.

    Args:
        measure: Takes how often each row and each column was drawn, gives a number, or
            raises `DataError` where it is not defined, which is drawn again.
        sizes: Number of rows and of columns.
        draws: Number of resamples.
        seed: Equal seeds, equal resamples: measures of the same table can be compared
            draw by draw.

    Returns:
        One number a resample, for `interval_of`.
    """
    _check(draws, 0.5)

    def once(rng: np.random.Generator) -> float:
        first, second = (
            np.bincount(rng.integers(size, size=size), minlength=size) for size in sizes
        )
        return measure(first, second)

    return _defined(once, draws, seed)


def interval_of(draws: Float[np.ndarray, " draws"], level: float = 0.95) -> Interval:
    """Give the middle of bootstrap draws.

    Args:
        draws: The measure of each resample.
        level: Share of the draws inside.

    Returns:
        The lower and the upper end.
    """
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _check(draws: int, level: float) -> None:
    if draws < 1 or not 0 < level < 1:
        raise OptionError(
            "bootstrap: draws must be at least 1 and level between 0 and 1, got "
            f"draws={draws} and level={level}."
        )


def _defined(
    once: Callable[[np.random.Generator], float], draws: int, seed: int
) -> Float[np.ndarray, " draws"]:
    """Draw until there are enough resamples on which the measure is defined."""
    rng = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(2 * draws):
        try:
            found.append(once(rng))
        except DataError:
            continue
        if len(found) == draws:
            return np.array(found)
    raise DataError(
        f"bootstrap: the measure is defined on {len(found)} of {2 * draws} "
        "resamples of these rows; there are too few rows of a kind for an interval."
    )
