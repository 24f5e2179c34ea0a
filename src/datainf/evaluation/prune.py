"""Prune: drop a query's strongest proponents, train again, and see its loss rise.

    effect = loss after dropping the k most negative scores
             − mean loss after dropping k random examples

Positive when the scores find examples that helped. Subtracting the random sets takes
out what any k fewer examples do.

P pruned queries, R random sets, N training examples.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.bootstrap import Interval, crossed_draws, interval_of
from datainf.evaluation.ranking import finite_vector


@dataclass(frozen=True)
class PruneEffect:
    """What dropping proponents did.

    Attributes:
        change: Mean of (loss after dropping proponents − loss of the full training).
        random_change: The same for the random sets.
        effect: Their difference.
        interval: 95 % bootstrap interval of the effect, over queries and random sets;
            none for a single query, for lack of a sample.
    """

    change: float
    random_change: float
    effect: float
    interval: Interval | None


def prune_effect(
    pruned: ArrayLike, full: ArrayLike, random: ArrayLike, *, seed: int = 0
) -> PruneEffect:
    """Compare dropping proponents with dropping as many at random.

    Args:
        pruned: `[P]`: each query's loss after dropping its own proponents.
        full: `[P]`: its loss when nothing is dropped.
        random: `[R, P]`: its loss after dropping each random set.
        seed: Of the bootstrap.

    Returns:
        The mean effect and its interval.

    Raises:
        DataError: If the shapes do not fit.

    Examples:
        >>> prune_effect([0.9], [0.5], [[0.6], [0.4]]).effect
        0.4
    """
    after, before = finite_vector(pruned, "loss"), finite_vector(full, "loss")
    chance = np.asarray(random, dtype=np.float64)
    if chance.ndim != 2 or not len(after) == len(before) == chance.shape[1]:
        raise DataError(
            f"prune: losses [P], [P] and [R, P] must be of the same queries, got "
            f"{list(after.shape)}, {list(before.shape)} and {list(chance.shape)}."
        )
    finite_vector(chance.reshape(-1), "loss")

    def measure(queries: Int[np.ndarray, " P"], sets: Int[np.ndarray, " R"]) -> float:
        expected = sets @ chance / sets.sum()
        return float(queries @ (after - expected) / queries.sum())

    interval = None
    if len(after) > 1:
        interval = interval_of(
            crossed_draws(measure, (len(after), len(chance)), seed=seed)
        )
    change = float((after - before).mean())
    by_chance = float((chance - before).mean())
    return PruneEffect(change, by_chance, change - by_chance, interval)


def without_proponents(scores: ArrayLike, k: int) -> Bool[np.ndarray, " N"]:
    """Mark what is left when the k strongest proponents are dropped.

    Args:
        scores: `[N]`, of one query or the mean of several; negative = proponent.
        k: How many.

    Returns:
        False for the k most negative; ties keep the data's order.

    Raises:
        OptionError: If there are no k examples to drop and one to leave.
    """
    values = finite_vector(scores, "score")
    if not 0 < k < len(values):
        raise OptionError(f"prune: k must be between 1 and {len(values) - 1}, got {k}.")
    kept = np.ones(len(values), dtype=bool)
    kept[np.argsort(values, kind="stable")[:k]] = False
    return kept
