"""Agreement: do predicted changes rank retrainings as their actual losses do?

    agreement of a query = Spearman over retrainings of (predicted, actual query loss)

and the mean over queries. The interval is a bootstrap over queries and retrainings
together: both are samples, and all queries share the same retrainings.

Q queries, S retrainings. Cost: O(Q S log S), and O(Q S) a bootstrap draw.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from datainf.core.errors import DataError
from datainf.evaluation.bootstrap import Interval, crossed_draws, interval_of
from datainf.evaluation.ranking import Ranked, finite_vector, spearman

FEWEST = 3
"""Retrainings below which a rank correlation says nothing."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well predictions rank retrainings.

    Attributes:
        value: Mean Spearman correlation of the measured queries, in [−1, 1].
        interval: Its 95 % bootstrap interval, over queries and retrainings.
        per_query: `[Q]`: each query's own; NaN where it is undefined.
        undefined: Queries whose actual loss is the same in every retraining; they are
            left out of the mean.
        flat: How many of the other queries have the same prediction for every
            retraining: they count as 0.
        draws: The mean in each bootstrap resample; resamples are the same for equal
            seeds, so two predictions of the same losses can be compared draw by draw.
    """

    value: float
    interval: Interval
    per_query: Float[np.ndarray, " Q"]
    undefined: tuple[int, ...]
    flat: int
    draws: Float[np.ndarray, " draws"]


def agreement(
    predicted: ArrayLike,
    actual: ArrayLike,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Agreement:
    """Compare predicted with actual losses, query by query.

    Args:
        predicted: `[S, Q]`: any number that rises with the query's loss.
        actual: `[S, Q]`: the query's loss after each retraining.
        draws: Bootstrap resamples.
        level: Share of them inside the interval.
        seed: Of the resamples.

    Returns:
        The mean, its interval and each query's own.

    Raises:
        DataError: If shapes differ, there are fewer than three retrainings, or no
            query's loss ever changes.
    """
    guess, truth = (
        _table(t, what)
        for t, what in ((predicted, "predicted loss"), (actual, "actual loss"))
    )
    if guess.shape != truth.shape:
        raise DataError(
            f"agreement: predicted and actual losses must have one shape, got "
            f"{list(guess.shape[::-1])} and {list(truth.shape[::-1])}."
        )
    count = truth.shape[1]
    if count < FEWEST:
        raise DataError(
            f"agreement: a rank correlation needs at least {FEWEST} retrainings, got "
            f"{count}."
        )
    constant = np.ptp(truth, axis=1) == 0
    if constant.all():
        raise DataError(
            f"agreement: the loss of every one of the {len(truth)} queries is the same "
            f"in all {count} retrainings; remove more, or look whether training works."
        )
    known = np.flatnonzero(~constant)
    guessed, true = Ranked(guess[known]), Ranked(truth[known])

    def measured(times: Int[np.ndarray, " S"]) -> Float[np.ndarray, " known"]:
        """Correlate; a prediction that never changes predicts nothing."""
        if np.count_nonzero(times) < 2:
            raise DataError("a resample of one retraining has no order.")
        found = spearman(guessed, true, times)
        return np.where(np.isnan(found), 0.0, found)

    def mean(queries: Int[np.ndarray, " known"], times: Int[np.ndarray, " S"]) -> float:
        return float(queries @ measured(times) / len(known))

    ones = np.ones(count, dtype=int)
    own = measured(ones)
    per_query = np.full(len(truth), np.nan)
    per_query[known] = own
    sizes = (len(known), count)
    resampled = crossed_draws(mean, sizes, draws=draws, seed=seed)
    return Agreement(
        value=float(own.mean()),
        interval=interval_of(resampled, level),
        per_query=per_query,
        undefined=tuple(int(q) for q in np.flatnonzero(constant)),
        flat=int((np.ptp(guess[known], axis=1) == 0).sum()),
        draws=resampled,
    )


def _table(values: ArrayLike, what: str) -> Float[np.ndarray, "Q S"]:
    """Take a finite table `[S, Q]`, turned to a row a query."""
    given = np.asarray(values)
    if given.ndim != 2:
        raise DataError(
            f"agreement: {what} must be [retrainings, queries], got shape "
            f"{list(given.shape)}."
        )
    return finite_vector(given.T.reshape(-1), what).reshape(given.T.shape)
