"""Class detection: do a query's proponents come from the query's own class?

As in the paper (Kwon et al., ICLR 2024, Table 2). For each query
    AUC     ROC AUC of −score against "same class as the query"
    recall  share of the query's class among its s most negative training examples,
            s = size of that class in training
and both averaged over the queries.

Q queries, N training examples. Exact with ties (`ranking.py`), O(Q N log N).
A high value says that scores find the class, not that they predict retraining: texts
of one class share their words, so look at `baselines.tfidf_scores` beside it.
"""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike

from datainf.core.errors import DataError, DatainfWarning
from datainf.evaluation.ranking import finite_vector, hits_at, roc_auc


@dataclass(frozen=True, eq=False)
class ClassDetection:
    """How well scores find the query's class.

    Attributes:
        auc: Mean ROC AUC of the measured queries.
        recall: Their mean recall.
        per_query: `[Q', 2]`: AUC and recall of each measured query, for intervals.
        measured: `[Q']`: which queries these are, as rows of the scores.
        excluded: Class -> number of its queries left out, because no training example
            is of that class.
    """

    auc: float
    recall: float
    per_query: Float[np.ndarray, "measured 2"]
    measured: Shaped[np.ndarray, " measured"]
    excluded: Mapping[str, int]


def class_detection(
    scores: ArrayLike, train_classes: ArrayLike, query_classes: ArrayLike
) -> ClassDetection:
    """Measure how well scores find training examples of the query's class.

    Queries of a class that no training example has cannot be measured: they are left
    out, counted by class in `excluded`, and a `DatainfWarning` names them.

    Args:
        scores: `[Q, N]`, negative = proponent.
        train_classes: Class of each training example, N.
        query_classes: Class of each query, Q.

    Returns:
        The averages, and each query's own values.

    Raises:
        DataError: If no query's class is among the training classes.

    Examples:
        >>> found = class_detection([[-2.0, -1.0, 0.5]], ["a", "b", "a"], ["a"])
        >>> found.auc, found.recall
        (0.5, 0.5)
    """
    values, own, asked = _checked(scores, train_classes, query_classes)
    known = set(own.tolist())
    absent = Counter(name for name in asked.tolist() if name not in known)
    measured = np.flatnonzero([name in known for name in asked.tolist()])
    counted = {str(name): count for name, count in absent.items()}
    named = ", ".join(f"{name!r} ({count})" for name, count in sorted(counted.items()))
    if not len(measured):
        raise DataError(
            "class detection: no query's class is among the training classes; classes "
            f"of the queries: {named}."
        )
    if absent:
        warnings.warn(
            f"class detection leaves out {absent.total()} of {len(asked)} queries "
            f"whose class no training example has: {named}.",
            DatainfWarning,
            stacklevel=2,
        )
    per_query = np.array([_one_query(-values[q], own == asked[q]) for q in measured])
    auc, recall = per_query.mean(axis=0)
    return ClassDetection(float(auc), float(recall), per_query, measured, counted)


def _one_query(
    proponent: Float[np.ndarray, " N"], same: Shaped[np.ndarray, " N"]
) -> tuple[float, float]:
    """Give AUC and recall of one query."""
    size = int(same.sum())
    return roc_auc(proponent, same), hits_at(proponent, same, size) / size


def _checked(
    scores: ArrayLike, train_classes: ArrayLike, query_classes: ArrayLike
) -> tuple[
    Float[np.ndarray, "Q N"], Shaped[np.ndarray, " N"], Shaped[np.ndarray, " Q"]
]:
    """Bring scores and classes into arrays that fit each other.

    Returns:
        Scores, training classes, query classes.

    Raises:
        DataError: If they do not fit, a class is missing, or training has one only.
    """
    own, asked = np.asarray(train_classes), np.asarray(query_classes)
    values = np.asarray(scores)
    if own.ndim != 1 or asked.ndim != 1 or values.shape != (len(asked), len(own)):
        raise DataError(
            f"class detection: scores of shape {list(values.shape)} need one class a "
            f"column and one a row, got {list(own.shape)} training and "
            f"{list(asked.shape)} query classes."
        )
    for side, classes in (("training example", own), ("query", asked)):
        # NaN is not equal to itself
        missing = [row for row, c in enumerate(classes.tolist()) if c is None or c != c]
        if missing:
            raise DataError(
                f"class detection: {side} {missing[0]} has no class ({len(missing)} of "
                f"{len(classes)} have none); leave such rows out, or name their class."
            )
    if len(set(own.tolist())) < 2:
        raise DataError(
            "class detection needs training examples of at least two classes, got "
            f"{len(own)} of {'one' if len(own) else 'none'}."
        )
    flat = finite_vector(values.reshape(-1), "score")
    return flat.reshape(values.shape), own, asked
