"""Between which values a mean over seeds lies: Student's t, for a few seeds.

    mean ± t s/√n        t = the (1 + level)/2 quantile with n − 1 degrees of freedom

s is the standard deviation over the n seeds. Unlike a bootstrap over rows it speaks of
training anew, data drawn anew and labels flipped anew: of all that a seed changes.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from datainf.core.errors import DataError
from datainf.evaluation.ranking import finite_vector


class SeedMean(NamedTuple):
    """A mean over seeds with its interval; NaN ends for a single seed."""

    mean: float
    low: float
    high: float


def seed_mean(values: ArrayLike, *, level: float = 0.95) -> SeedMean:
    """Give the mean over seeds and its interval.

    Args:
        values: One number a seed.
        level: Chance that such an interval holds the true mean, for normal values.

    Returns:
        The mean and the interval's ends.

    Raises:
        DataError: If there is no value.

    Examples:
        >>> [round(x, 3) for x in seed_mean([1.0, 2.0, 3.0, 4.0, 5.0])]
        [3.0, 1.037, 4.963]
    """
    found = finite_vector(values, "value of a seed")
    if not len(found):
        raise DataError("a mean over seeds needs at least one, got none.")
    mean = float(found.mean())
    if len(found) == 1:
        return SeedMean(mean, math.nan, math.nan)
    spread = float(found.std(ddof=1)) / math.sqrt(len(found))
    half = t_quantile((1 + level) / 2, len(found) - 1) * spread
    return SeedMean(mean, mean - half, mean + half)


def t_quantile(level: float, freedom: int) -> float:
    """Give a quantile of Student's t.

    With t = √ν tan φ the density over φ is proportional to cos(φ)^(ν−1), which is
    summed on a fine grid.

    Args:
        level: Between 0.5 and 1.
        freedom: ν, degrees of freedom.

    Returns:
        The value below which t lies with that chance, to four digits.

    Examples:
        >>> [round(t_quantile(0.975, n), 3) for n in (1, 4, 19)]
        [12.706, 2.776, 2.093]
    """
    angle = np.linspace(0, math.pi / 2, 200_001)
    density = np.cos(angle) ** (freedom - 1)
    area = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    place = np.interp(2 * level - 1, area / area[-1], angle)
    return math.sqrt(freedom) * math.tan(float(place))
