"""What every experiment measures of a method: its scores, and what they cost.

And the baselines that stand beside all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from datainf.core.checkpoint import Checkpoint, Moments
from datainf.core.options import Output
from datainf.core.records import Scores
from datainf.core.source import GradientSource
from datainf.core.task import Example, Task
from datainf.estimators.table import METHODS
from datainf.evaluation.retrieval import class_detection
from datainf.experiments.cells import Key
from datainf.experiments.data.study_rows import StudyRows
from datainf.experiments.meter import metered
from datainf.experiments.units import Opened
from datainf.integrations.hidden_states import mean_hidden_states
from datainf.workflows.score import score

BASELINES = ("loss", "TF-IDF", "embedding", "random")
"""What looks at no gradient."""
Sources = tuple[GradientSource, GradientSource]
"""Gradients of training rows and of queries."""


def scored(
    key: Key,
    gradients: Callable[[Output], Sources],
    moments: Callable[[], Moments],
) -> tuple[Scores, dict[str, Any]]:
    """Score by one variant, from the gradients that its method is made of.

    Args:
        key: The variant's: `method` and `options`.
        gradients: Gives those of an output.
        moments: Gives Adam's, for a method that steps by them.

    Returns:
        The scores, and for the records: seconds and memory of scoring alone, the worst
        residual, notes.
    """
    kind = METHODS[key["method"]].cls
    train, queries = gradients(Output(kind.output))
    sources: tuple[Any, ...] = (train, queries)
    if kind.needs_moments:
        sources = ([Checkpoint(train, queries, moments=moments())],)
    with metered() as spent:
        # The time is the method's own, without a comparison with exact.
        scores = score(
            *sources, method=key["method"], agreement=False, **key["options"]
        )
    solved = scores.residual[np.isfinite(scores.residual)]
    return scores, {
        "seconds": spent.seconds,
        "peak_mib": spent.peak_mib,
        "residual": float(solved.max()) if len(solved) else None,
        "notes": list(scores.provenance.notes),
    }


def detected(scores: ArrayLike, rows: StudyRows) -> dict[str, float]:
    """Measure how well scores find the query's class.

    Args:
        scores: `[Q, N]`, of all rows.
        rows: Training rows and queries, which say their `class`.

    Returns:
        `auc` and `recall`, means over the queries.
    """
    return detected_among(scores, rows.train, rows.validation)


def detected_among(
    scores: ArrayLike, train: Sequence[Example], queries: Sequence[Example]
) -> dict[str, float]:
    """Measure how well scores find the query's class among some rows.

    Args:
        scores: `[Q, N]`.
        train: Training rows, N.
        queries: Queries, Q.

    Returns:
        `auc` and `recall`, means over the queries.
    """
    own, asked = ([row["class"] for row in part] for part in (train, queries))
    found = class_detection(scores, own, asked)
    return {"auc": found.auc, "recall": found.recall}


def learned(subject: Opened) -> dict[str, Any]:
    """Say what an adapter is, what it was measured on, and what its gradients cost.

    Args:
        subject: The adapter.

    Returns:
        For the records: sizes, mean losses, seconds of training (None where it was
        there already) and of collecting.
    """
    return {
        "rows": len(subject.rows.train),
        "queries": len(subject.rows.validation),
        "parameters": sum(subject.train.layout.sizes.values()),
        "blocks": len(subject.train.layout.names),
        "train_loss": float(np.mean(subject.train.losses)),
        "validation_loss": float(np.mean(subject.validation.losses)),
        "train_seconds": subject.train_seconds,
        "collect_seconds": subject.collect_seconds,
    }


def loss_scores(losses: ArrayLike, queries: int) -> Float[np.ndarray, "Q N"]:
    """Put the rows of the highest loss first, whatever is asked.

    Args:
        losses: Of the training rows, N.
        queries: How many, Q.

    Returns:
        −loss.
    """
    return np.tile(-np.asarray(losses), (queries, 1))


def embedding_scores(
    model: Any, task: Task, train: Sequence[Example], queries: Sequence[Example]
) -> Float[np.ndarray, "Q N"]:
    """Compare mean hidden states, with the sign of scores: similar = negative.

    Args:
        model: The tuned model.
        task: Makes its batches.
        train: Training rows, N.
        queries: Queries, Q.

    Returns:
        −cosine.
    """
    known, asked = (
        mean_hidden_states(model, task, x).numpy() for x in (train, queries)
    )
    return cosine_scores(known, asked)


def cosine_scores(
    train: Float[np.ndarray, "N h"], queries: Float[np.ndarray, "Q h"]
) -> Float[np.ndarray, "Q N"]:
    """Compare vectors, with the sign of scores: similar = negative.

    Args:
        train: One a training row.
        queries: One a query.

    Returns:
        −cosine.
    """
    known, asked = (
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, queries)
    )
    return -(asked @ known.T)
