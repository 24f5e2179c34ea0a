"""Leave one out: does removing an example change a query's loss as its score says?

    agreement of a query = Spearman over examples k of
                           ( −score_k ,  loss after training without k )

A proponent has a negative score, and training without it raises the loss. The noise of
one training hides the effect of most single examples, so expect far less than an LDS.

Q queries, N training examples, K of them left out, one retraining each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.agreement import Agreement, agreement


def loo(
    scores: ArrayLike, removed: Sequence[int], losses: ArrayLike, **draws: Any
) -> Agreement:
    """Compare scores with leave-one-out retraining.

    Args:
        scores: `[Q, N]`, negative = proponent.
        removed: The K examples left out.
        losses: `[K, Q]`: the query's loss after training without each.
        **draws: `draws`, `level` and `seed` of the bootstrap, as for `agreement`.

    Returns:
        The mean over queries, its interval and each query's own.

    Raises:
        DataError: If the scores are no `[Q, N]` that holds those examples.

    Examples:
        >>> loo([[-2.0, 0.5, 1.0]], [0, 1, 2], [[0.9], [0.5], [0.4]]).value
        1.0
    """
    values = np.asarray(scores)
    if values.ndim != 2 or not all(0 <= k < values.shape[1] for k in removed):
        raise DataError(
            f"loo: scores of shape {list(values.shape)} do not hold every example "
            f"that was left out (up to {max(removed, default=-1)})."
        )
    return agreement(-values[:, list(removed)].T, losses, **draws)


def require_examples(rows: int, examples: Sequence[int]) -> None:
    """Refuse examples that cannot be left out one by one.

    Args:
        rows: N.
        examples: Their numbers.

    Raises:
        OptionError: If one is not there, or is named twice.
    """
    strange = [k for k in examples if not 0 <= k < rows]
    if strange or len(set(examples)) < len(examples):
        raise OptionError(
            f"examples to leave out must be different numbers from 0 to {rows - 1}, "
            f"got {', '.join(map(str, examples))}."
        )
