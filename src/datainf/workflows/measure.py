"""How well a ranking finds rows that are known to be wrong.

The figures a person asks for, beside those of doing without influence: the share of
wrong rows (a blind guess) and the AUC of the rows' own loss (free once gradients are
collected).
"""

import numpy as np
from numpy.typing import NDArray

from datainf.evaluation.bootstrap import bootstrap_interval
from datainf.evaluation.detection import detection_auc, precision_at


def measure(
    suspicion: NDArray[np.floating],
    wrong: NDArray[np.bool_],
    losses: NDArray[np.floating],
) -> dict[str, float]:
    """Measure a ranking of training rows.

    Args:
        suspicion: One number a row, the largest most suspicious.
        wrong: Which rows are known to be wrong.
        losses: Training loss of each row, the baseline.

    Returns:
        `auc` with its 95 % bootstrap interval `auc_low` to `auc_high`, `precision at K`
        with K the number of wrong rows, `share_wrong`, and `auc_of_loss`. Only
        `share_wrong` where all rows are of one kind.
    """
    count = int(wrong.sum())
    share = count / len(wrong)
    if count in (0, len(wrong)):
        return {"share_wrong": share}
    low, high = bootstrap_interval(detection_auc, suspicion, wrong)
    return {
        "auc": detection_auc(suspicion, wrong),
        "auc_low": low,
        "auc_high": high,
        f"precision_at_{count}": precision_at(suspicion, wrong, count),
        "share_wrong": share,
        "auc_of_loss": detection_auc(losses, wrong),
    }
