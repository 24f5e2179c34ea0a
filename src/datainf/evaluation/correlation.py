"""Agreement of two methods on the training examples: in value, and in order.

The paper's measure of an approximation is Pearson's r with Eq. 2 over the training set
(Kwon et al., ICLR 2024, Fig. 1); Spearman's is that of the ranks, tied rows sharing the
mean of theirs. N rows; O(N log N).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datainf.core.errors import DataError
from datainf.evaluation.ranking import Ranked, finite_vector
from datainf.evaluation.ranking import spearman as of_rows


def pearson(first: ArrayLike, second: ArrayLike) -> float:
    """Correlate two columns of numbers.

    Args:
        first: One number a row.
        second: One number for the same rows.

    Returns:
        Pearson's r in [−1, 1]; NaN where one of them does not vary.

    Examples:
        >>> round(pearson([1.0, 2.0, 3.0], [2.0, 4.0, 7.0]), 3)
        0.993
    """
    a, b = _of_the_same_rows(first, second)
    # Scaled first: scores may be so small that their squares vanish.
    a, b = ((x - x.mean()) / (np.ptp(x) or 1.0) for x in (a, b))
    length = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / length if length > 0 else math.nan


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Correlate the ranks of two columns of numbers.

    Args:
        first: One number a row.
        second: One number for the same rows.

    Returns:
        Spearman's ρ in [−1, 1]; NaN where one of them does not vary.

    Examples:
        >>> spearman([1.0, 2.0, 3.0], [2.0, 4.0, 700.0])
        1.0
    """
    a, b = (Ranked(x[None]) for x in _of_the_same_rows(first, second))
    return float(of_rows(a, b)[0])


def _of_the_same_rows(
    first: ArrayLike, second: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read two columns; refuse those that cannot be correlated."""
    a, b = finite_vector(first, "first"), finite_vector(second, "second")
    if len(a) != len(b) or len(a) < 2:
        raise DataError(
            "a correlation needs two columns of the same rows, at least 2, got "
            f"{len(a)} and {len(b)}."
        )
    return a, b
