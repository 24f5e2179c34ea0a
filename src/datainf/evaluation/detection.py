"""Mislabelled-row detection: are the rows that are known to be wrong ranked first?

As in the paper (Kwon et al., ICLR 2024): a row's suspicion is its influence on the mean
validation loss, so positive = suspicious, and the measure is the ROC AUC against the
flipped flag. Any other suspicion (a loss, a chance) is measured alike.

N training rows. Exact with ties (`ranking.py`), O(N log N).
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from datainf.core.errors import DataError
from datainf.evaluation.ranking import finite_vector, hits_at, roc_auc


def detection_auc(suspicion: ArrayLike, flipped: ArrayLike) -> float:
    """Give the chance that a wrong row is more suspicious than a right one.

    Args:
        suspicion: One number a row, the largest being the most suspicious; an influence
            on trusted examples as it is.
        flipped: Whether each row is known to be wrong.

    Returns:
        ROC AUC: 1 = every wrong row above every right one, 0.5 = no better than chance.
        Ties count half.

    Raises:
        DataError: If rows are all wrong or all right.

    Examples:
        >>> detection_auc([0.9, -0.2, 0.4, 0.1], [True, False, False, True])
        0.75
    """
    values, wrong = _paired(suspicion, flipped)
    count = int(wrong.sum())
    if count in (0, len(wrong)):
        raise DataError(
            f"a detection AUC needs wrong and right rows, got {count} wrong of "
            f"{len(wrong)}; it says nothing about rows of one kind."
        )
    return roc_auc(values, wrong)


def precision_at(suspicion: ArrayLike, flipped: ArrayLike, k: int) -> float:
    """Give the share of wrong rows among the k most suspicious.

    Args:
        suspicion: One number a row, the largest being the most suspicious.
        flipped: Whether each row is known to be wrong.
        k: How many rows are looked at.

    Returns:
        Between 0 and 1; ties at the k-th place count by their average.

    Examples:
        >>> precision_at([0.9, -0.2, 0.4, 0.1], [True, False, False, True], 2)
        0.5
    """
    values, wrong = _paired(suspicion, flipped)
    return hits_at(values, wrong, k) / k


def recall_at(suspicion: ArrayLike, flipped: ArrayLike, k: int) -> float:
    """Give the share of the wrong rows that are among the k most suspicious.

    Args:
        suspicion: One number a row, the largest being the most suspicious.
        flipped: Whether each row is known to be wrong.
        k: How many rows are looked at.

    Returns:
        Between 0 and 1; ties at the k-th place count by their average.

    Raises:
        DataError: If no row is wrong.

    Examples:
        >>> recall_at([0.9, -0.2, 0.4, 0.1], [True, False, False, True], 3)
        1.0
    """
    values, wrong = _paired(suspicion, flipped)
    if not wrong.any():
        raise DataError(
            f"recall needs at least one wrong row, got none of {len(wrong)}."
        )
    return hits_at(values, wrong, k) / int(wrong.sum())


def _paired(
    suspicion: ArrayLike, flipped: ArrayLike
) -> tuple[Float[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
    """Check that there is one number and one flag a row.

    Returns:
        Both as vectors.

    Raises:
        DataError: If lengths differ, or a flag is neither true nor false.
    """
    values = finite_vector(suspicion, "suspicion")
    flags = finite_vector(flipped, "flipped")
    if len(values) != len(flags):
        raise DataError(
            f"suspicion and flipped must be of the same rows, got {len(values)} and "
            f"{len(flags)}."
        )
    strange = flags[(flags != 0) & (flags != 1)]
    if len(strange):
        raise DataError(
            f"flipped must be True or False (1 or 0) for each row, got {strange[0]:g}."
        )
    return values, flags == 1
