"""Rankings: ROC AUC, hits among the first k, and Spearman's rank correlation.

    AUC = P(a sought row ranks above another row), half for a tie
        = (Σ ranks of sought rows − P(P + 1)/2) / (P M)         (Mann-Whitney)
    Spearman = the correlation of the ranks

P sought rows, M others, N = P + M. Exact, ties included: tied rows share the mean of
their ranks, and where ties straddle the k-th place the hits are those expected when the
ties are broken at random, so no number depends on the order of the data. O(N log N).
"""

import numpy as np
from jaxtyping import Bool, Float, Int
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


class Ranked:
    """Rows of numbers, sorted once, whose ranks are then asked for many resamples."""

    def __init__(self, values: Float[np.ndarray, "R S"]) -> None:
        """Sort every row.

        Args:
            values: Finite.
        """
        size = values.shape[1]
        self._order = np.argsort(values, axis=1, kind="stable")
        ordered = np.take_along_axis(values, self._order, axis=1)
        places = np.arange(size)
        differs = ordered[:, 1:] != ordered[:, :-1]
        edge = np.ones((len(values), 1), dtype=bool)
        # Where each run of equal numbers begins, and where the next one does.
        begins = np.maximum.accumulate(
            np.where(np.hstack([edge, differs]), places, 0), axis=1
        )
        ends = np.where(np.hstack([differs, edge]), places + 1, size)
        ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
        back = np.argsort(self._order, axis=1)
        self._begins = np.take_along_axis(begins, back, axis=1)
        self._ends = np.take_along_axis(ends, back, axis=1)

    def ranks(self, times: Int[np.ndarray, " S"]) -> Float[np.ndarray, "R S"]:
        """Rank a resample in which each column occurs so many times.

        Args:
            times: How often; ones for the rows as they are.

        Returns:
            Ranks from 1, tied columns sharing their mean.
        """
        counted = np.zeros((len(self._order), len(times) + 1))
        np.cumsum(times[self._order], axis=1, out=counted[:, 1:])
        below = np.take_along_axis(counted, self._begins, axis=1)
        upto = np.take_along_axis(counted, self._ends, axis=1)
        return (below + upto + 1) / 2


def spearman(
    first: Ranked, second: Ranked, times: Int[np.ndarray, " S"]
) -> Float[np.ndarray, " R"]:
    """Correlate the ranks of two tables, row by row.

    Args:
        first: R rows of S numbers.
        second: As many.
        times: How often each column counts; ones for the tables as they are.

    Returns:
        One correlation a row; NaN where all numbers of a row are equal.
    """
    middle = (times.sum() + 1) / 2
    a, b = first.ranks(times) - middle, second.ranks(times) - middle
    product, mine, theirs = (
        (times * pair).sum(axis=1) for pair in (a * b, a * a, b * b)
    )
    spread = np.sqrt(mine * theirs)
    known = spread > 0
    found: Float[np.ndarray, " R"] = np.divide(
        product, spread, out=np.full(len(spread), np.nan), where=known
    )
    return found
