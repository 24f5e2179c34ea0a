"""Two trainings compared on the same test rows: did the second do better?

    effect = mean over seeds and rows of (after − before)

Each row and seed is its own pair, so what makes a row hard or a seed lucky cancels.
Rows and seeds are drawn for the interval; with one seed the rows alone, and then it
does not speak of other seeds. S seeds, Q test rows.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike

from datainf.core.errors import DataError
from datainf.evaluation.bootstrap import Interval, crossed_draws, interval_of


@dataclass(frozen=True)
class PairedEffect:
    """What changed from one training to the other.

    Attributes:
        before: Mean of the first.
        after: Mean of the second.
        effect: Their difference, after − before.
        interval: 95 % paired bootstrap interval of the effect.
    """

    before: float
    after: float
    effect: float
    interval: Interval


def paired_effect(
    before: ArrayLike, after: ArrayLike, *, draws: int = 1000, seed: int = 0
) -> PairedEffect:
    """Compare two trainings.

    Args:
        before: `[S, Q]`: a measure of each test row, for each seed.
        after: `[S, Q]`: the same after the change.
        draws: Number of resamples.
        seed: Of the bootstrap.

    Returns:
        The effect and its interval.

    Raises:
        DataError: If they are not of the same seeds and rows, or not finite.

    Examples:
        >>> found = paired_effect([[0.0, 1.0, 0.0]], [[1.0, 1.0, 1.0]])
        >>> round(found.effect, 2), found.interval.high
        (0.67, 1.0)
    """
    first, second = (np.asarray(x, dtype=np.float64) for x in (before, after))
    if first.shape != second.shape or first.ndim != 2 or not first.size:
        raise DataError(
            "a paired comparison needs [S, Q] numbers of the same seeds and rows, got "
            f"{list(first.shape)} and {list(second.shape)}."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError(
            "a paired comparison needs finite numbers, got NaN or infinity."
        )
    change = second - first

    def measure(seeds: Int[np.ndarray, " S"], rows: Int[np.ndarray, " Q"]) -> float:
        return float(seeds @ change @ rows / (seeds.sum() * rows.sum()))

    sizes = (change.shape[0], change.shape[1])
    return PairedEffect(
        float(first.mean()),
        float(second.mean()),
        float(change.mean()),
        interval_of(crossed_draws(measure, sizes, draws=draws, seed=seed)),
    )
