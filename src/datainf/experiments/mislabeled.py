"""`datainf reproduce mislabeled`: who finds the wrong labels, at what price?

The paper's experiment (Kwon et al., ICLR 2024, Fig. 2, 6): a share of the training
labels is flipped, a row's suspicion is its influence on the mean loss of trusted rows,
and the measure is the ROC AUC against the flipped flag. Here every method of the table
does it, with the settings that are compared, beside four baselines that look at no
gradient; means over seeds with Student's interval.

Cells: one a unit (data set, rank, seed) and variant, kept in `mislabeled.jsonl`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datainf.core.errors import DatainfError
from datainf.core.options import Output
from datainf.evaluation.baselines import (
    loss_suspicion,
    neighbour_suspicion,
    random_scores,
    tfidf_scores,
)
from datainf.evaluation.detection import detection_auc, precision_at
from datainf.experiments.cells import ADAPTER, Key, Measured, Refused, measured
from datainf.experiments.data.study_rows import DEMO, text_of
from datainf.experiments.measuring import BASELINES, Sources, embedding_scores, scored
from datainf.experiments.meter import metered
from datainf.experiments.presets import Study
from datainf.experiments.units import Opened, Unit, units_of
from datainf.experiments.variants import Variant, all_variants, refusals
from datainf.integrations.hidden_states import share_right
from datainf.workflows.mean import MeanSource
from datainf.workflows.progress import Reporter

NAME = "mislabeled"
FURTHER_RANKS = {"sst2": (1, 2, 8, 16)}
"""Of the small preset: does the order of the methods hang on the rank?"""
Towards = Callable[[Output], Sources]


def run(study: Study, out: str | Path, *, progress: Reporter | None = None) -> Measured:
    """Measure every cell that is not there yet.

    Args:
        study: The settings.
        out: Folder for records, adapters and, meanwhile, stores.
        progress: Told how far it is.

    Returns:
        The measurements.
    """
    variants = all_variants()
    baselines = [{"method": name, "options": {}} for name in BASELINES]
    return measured(
        NAME,
        study,
        out,
        units=units_of(study),
        keys=[*(variant.key for variant in variants), *baselines, ADAPTER],
        refused=refusals(variants),
        cells=_cells,
        wanted=lambda unit, key: (
            not key["options"] or study.in_full(unit.dataset, unit.rank)
        ),
        progress=progress,
    )


def _cells(
    unit: Unit,
    subject: Opened,
    missing: Sequence[Key],
    refused: Refused,
) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Measure the missing cells of one unit.

    Yields:
        Key and result, one at a time, so that each is kept at once.
    """
    towards = towards_validation(subject)
    for key in missing:
        if key == ADAPTER:
            yield key, _adapter(unit, subject)
            continue
        try:
            suspicion, cost = suspicion_of(key, unit, subject, towards)
        except DatainfError as error:  # said at the end, and tried the next time
            refused[Variant(**key).label] = str(error)
            continue
        yield key, {**_found(suspicion, subject.wrong), **cost}


def towards_validation(subject: Opened) -> Towards:
    """Say what rows are scored towards: the mean validation loss.

    Args:
        subject: The unit.

    Returns:
        Gives gradients of an output, of the training rows and of that mean.
    """

    @cache
    def gradients(output: Output) -> Sources:
        train, validation = subject.gradients(output)
        return train, MeanSource(validation)

    return gradients


def suspicion_of(
    key: Key, unit: Unit, subject: Opened, towards: Towards
) -> tuple[NDArray[np.floating], dict[str, Any]]:
    """Suspect training rows by one variant or baseline.

    Args:
        key: Its `method` and `options`.
        unit: Which adapter.
        subject: The adapter with its gradients.
        towards: What `towards_validation` gave.

    Returns:
        `[N]`, the most suspicious rows the highest, and what it cost.
    """
    if key["method"] in BASELINES:
        with metered() as spent:
            suspicion = _BASELINES[key["method"]](unit, subject)
        return suspicion, {"seconds": spent.seconds}
    scores, cost = scored(key, towards, subject.moments)
    return scores.values[0], cost


def _found(
    suspicion: NDArray[np.floating], wrong: NDArray[np.bool_]
) -> dict[str, float]:
    """Measure a ranking."""
    count = int(wrong.sum())
    return {
        "auc": detection_auc(suspicion, wrong),
        "precision": precision_at(suspicion, wrong, count),
    }


def _adapter(unit: Unit, subject: Opened) -> dict[str, Any]:
    """Say how well the adapter has learned, and what it was measured on."""
    model, task = subject.subject.model, subject.subject.task
    known = unit.dataset != DEMO
    right = share_right(model, task, subject.rows.validation) if known else None
    return {
        "rows": len(subject.train),
        "wrong": int(subject.wrong.sum()),
        "validation_rows": len(subject.validation),
        "parameters": sum(subject.train.layout.sizes.values()),
        "blocks": len(subject.train.layout.names),
        "train_loss": float(np.mean(subject.train.losses)),
        "validation_loss": float(np.mean(subject.validation.losses)),
        "accuracy": right,
        "collect_seconds": subject.collect_seconds,
    }


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[Any] | None:
    """Give the classes of rows that have one."""
    return [row["label"] for row in rows] if "label" in rows[0] else None


def _by_similarity(
    unit: Unit, subject: Opened, scores: NDArray[np.floating]
) -> NDArray[np.floating]:
    del unit
    rows = subject.rows
    return neighbour_suspicion(scores, _labels(rows.train), _labels(rows.validation))


def _tfidf(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    """Compare wordings: of everything that is text, a completion too."""
    train, validation = (
        [text_of(row) for row in part]
        for part in (subject.rows.train, subject.rows.validation)
    )
    return _by_similarity(unit, subject, tfidf_scores(train, validation))


def _embedding(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    """Compare mean hidden states of the tuned model."""
    model, task = subject.subject.model, subject.subject.task
    train, validation = subject.rows.train, subject.rows.validation
    return _by_similarity(
        unit, subject, embedding_scores(model, task, train, validation)
    )


_BASELINES: Mapping[str, Callable[[Unit, Opened], NDArray[np.floating]]] = {
    "loss": lambda _, subject: loss_suspicion(subject.train.losses),
    "TF-IDF": _tfidf,
    "embedding": _embedding,
    "random": lambda unit, subject: random_scores(
        1, len(subject.train), seed=unit.seed
    )[0],
}
