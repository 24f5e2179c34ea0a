"""LDS, the linear datamodelling score: do scores predict what retraining shows?

For each query, over retrainings on random subsets A of the training data
(Park et al., ICML 2023, arXiv:2303.14186):

    LDS = Spearman( Σ_{k in A} score_k ,  loss of the query after training on A )

and the mean over queries. A score is the influence on the query's loss when an example
gets more weight (negative = proponent), so the sum over a subset predicts its loss up
to scale, and right scores have a positive LDS.

No predictor reaches 1: training again with another seed changes the losses too. With
two seeds on the same subsets, whose losses agree at r, a predictor of the expected loss
scores about √r (Spearman's correction for attenuation): the noise ceiling.

Q queries, N training examples, S subsets. Cost: one product [S, N] [N, Q] and the
ranks.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.agreement import Agreement, agreement


def lds(
    scores: ArrayLike, kept: ArrayLike, losses: ArrayLike, **draws: Any
) -> Agreement:
    """Give the linear datamodelling score of scores.

    Args:
        scores: `[Q, N]`, negative = proponent.
        kept: `[S, N]`: whether an example was trained on.
        losses: `[S, Q]`: the query's loss after each retraining.
        **draws: `draws`, `level` and `seed` of the bootstrap, as for `agreement`.

    Returns:
        The mean over queries, its interval and each query's own.

    Examples:
        >>> kept = [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
        >>> lds([[-3.0, -2.0, 0.0]], kept, [[0.1], [0.2], [0.3]]).value
        1.0
    """
    return agreement(predicted_losses(scores, kept), losses, **draws)


def predicted_losses(scores: ArrayLike, kept: ArrayLike) -> Float[np.ndarray, "S Q"]:
    """Sum the scores of each subset's members.

    Args:
        scores: `[Q, N]`, negative = proponent.
        kept: `[S, N]`: the members.

    Returns:
        A number that rises with the predicted loss.

    Raises:
        DataError: If the shapes do not fit, or members are not marked by 0 and 1.
    """
    values, members = np.asarray(scores, dtype=np.float64), np.asarray(kept)
    if values.ndim != 2 or members.ndim != 2 or values.shape[1] != members.shape[1]:
        raise DataError(
            "lds: scores [Q, N] and members [S, N] must be of the same training "
            f"examples, got {list(values.shape)} and {list(members.shape)}."
        )
    if not np.isin(members, (0, 1)).all():
        raise DataError("lds: members must be marked by True and False (1 and 0).")
    return members.astype(np.float64) @ values.T


@dataclass(frozen=True, eq=False)
class NoiseCeiling:
    """What retraining noise leaves to predict.

    Attributes:
        agreement: How well two seeds on the same subsets agree, r.
        value: √r, about what a perfect predictor of the expected loss would score; 0
            where the seeds do not agree at all.
    """

    agreement: Agreement
    value: float


def noise_ceiling(first: ArrayLike, second: ArrayLike, **draws: Any) -> NoiseCeiling:
    """Compare retrainings that differ in their seed only.

    Args:
        first: `[S, Q]`: losses with one seed.
        second: `[S, Q]`: losses on the same subsets with another.
        **draws: As for `lds`.

    Returns:
        The agreement and the ceiling.
    """
    found = agreement(first, second, **draws)
    return NoiseCeiling(found, math.sqrt(max(found.value, 0.0)))


def draw_subsets(
    rows: int, removed: float, count: int, *, seed: int = 0
) -> Bool[np.ndarray, "S N"]:
    """Draw random subsets of one size.

    Args:
        rows: N.
        removed: Share of the examples that is left out of each.
        count: S. A larger count begins with the same subsets.
        seed: Equal seeds, equal subsets.

    Returns:
        Which examples each subset keeps.

    Raises:
        OptionError: If nothing or everything would be removed.
    """
    size = round(rows * removed)
    if not 0 < size < rows:
        raise OptionError(
            f"removing a share of {removed:g} of {rows} examples removes {size}; it "
            "must remove at least one and leave one."
        )
    kept = np.ones((count, rows), dtype=bool)
    for number, row in enumerate(kept):
        rng = np.random.default_rng([seed, size, number])
        row[rng.permutation(rows)[:size]] = False
    return kept
