"""How well a ranking puts the sought rows first: ROC AUC and hits among the first k.

    AUC = P(a sought row ranks above another row), half for a tie
        = (Σ ranks of sought rows − P(P + 1)/2) / (P M)         (Mann-Whitney)

P sought rows, M others, N = P + M. Exact, ties included: tied rows share the mean of
their ranks, and where ties straddle the k-th place the hits are those expected when the
ties are broken at random, so no number depends on the order of the data. O(N log N).
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from datainf.core.errors import DataError, NonFiniteError, OptionError


def finite_vector(values: ArrayLike, what: str) -> Float[np.ndarray, " N"]:
    """Take one finite number a row.

    Args:
        values: What came.
        what: Its name, for the message.

    Returns:
        The numbers in float64.

    Raises:
        DataError: If it is no vector of numbers.
        NonFiniteError: If one is NaN or infinite; names the first.
    """
    given = np.asarray(values)
    if given.ndim != 1 or given.dtype.kind not in "biuf":
        raise DataError(
            f"{what} must be one number a row, got {given.dtype} of shape "
            f"{list(given.shape)}."
        )
    vector = given.astype(np.float64)
    if not np.isfinite(vector).all():
        (first, *_) = np.flatnonzero(~np.isfinite(vector))
        raise NonFiniteError(
            f"{what} of row {first} is {vector[first]}; give finite numbers."
        )
    return vector


def roc_auc(values: Float[np.ndarray, " N"], sought: Bool[np.ndarray, " N"]) -> float:
    """Give the probability that a sought row ranks above another one.

    Args:
        values: Finite; the largest ranks first.
        sought: The rows that should come first; some, not all.

    Returns:
        1 when every sought row is above every other, 0.5 for no order at all.
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    found = int(sought.sum())
    others = len(sought) - found
    above = float(ranks[sought].sum()) - found * (found + 1) / 2
    return above / (found * others)


def hits_at(
    values: Float[np.ndarray, " N"], sought: Bool[np.ndarray, " N"], k: int
) -> float:
    """Count the sought rows among the k first, ties broken at random on average.

    Args:
        values: Finite; the largest ranks first.
        sought: The rows that are counted.
        k: How many rows are looked at.

    Returns:
        The expected count; whole unless ties straddle the k-th place.

    Raises:
        OptionError: If there are no k rows.
    """
    if not 1 <= k <= len(values):
        raise OptionError(
            f"k must be between 1 and the number of rows, {len(values)}; got {k}."
        )
    limit = np.partition(values, -k)[-k]
    above, level = values > limit, values == limit
    share = (k - int(above.sum())) / int(level.sum())
    return float((above & sought).sum() + share * (level & sought).sum())
