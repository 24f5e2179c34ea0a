"""`datainf reproduce text-to-image`: are a picture's proponents of its own class?

The paper's experiment (Kwon et al., ICLR 2024, Table 2, image rows): an adapter learns
three styles, or thirty subjects; for every held-out picture with its prompt the
training pictures are ranked by influence, and the measures are the ROC AUC against
"same class" and the recall among as many pictures as the class has
(`evaluation/retrieval.py`), averaged over the queries.

Two gradients of each adapter: of the loss, and of the mean square of what the denoiser
says (D-TRAK). Six baselines look at no gradient.

Besides, on a few seeds: how much a ranking depends on the number of timesteps and on
the seed of the noise, and what the adapter draws before and after.

Cells: one a unit (task, rank, seed) and variant, kept in `text-to-image.jsonl`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from datainf.core.errors import DatainfError, OptionError, near
from datainf.core.options import Output
from datainf.core.task_options import Measure
from datainf.estimators.table import METHODS
from datainf.evaluation.baselines import random_scores, tfidf_scores
from datainf.evaluation.correlation import spearman
from datainf.evaluation.picture_baselines import histogram_scores, pixel_scores
from datainf.experiments.cells import ADAPTER, Key, Measured, Refused, measured
from datainf.experiments.data.picture_tasks import PICTURE_TASKS
from datainf.experiments.data.study_rows import StudyRows
from datainf.experiments.drawn import DRAWN, drawn
from datainf.experiments.measuring import (
    cosine_scores,
    detected,
    detected_among,
    learned,
    loss_scores,
    scored,
)
from datainf.experiments.meter import metered
from datainf.experiments.presets import Study
from datainf.experiments.text_generation import variants
from datainf.experiments.units import Opened, Stores, Unit, units_of
from datainf.experiments.variants import Variant, refusals
from datainf.integrations.diffusion.features import mean_loss, picture_features
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.workflows.progress import Reporter
from datainf.workflows.score import score

NAME = "text-to-image"
BASELINES = ("loss", "TF-IDF", "pixels", "colours", "features", "random")
"""What looks at no gradient."""
MEASURES = (Measure.LOSS, Measure.SQUARE)
"""What is differentiated."""
TIMESTEPS = (1, 2, 5, 10, 20, 50)
REFERENCE = 100
"""Timesteps of the ranking that the others are compared with, at a third noise."""
PASSES: Key = {"method": "passes", "options": {"reference": REFERENCE}}
"""The cell that says how much a ranking depends on timesteps and noise."""
FEW = 2
"""Seeds on which timesteps are compared, and pictures are drawn on the first."""
RANKED_BY = ("dot", "datainf")
"""Methods whose rankings are measured by timesteps; `datainf`'s are compared."""
ROWS, QUERIES, TOP = 120, 30, 10
"""Pictures that timesteps are compared on, at most, and proponents of each query."""
_SIDE = 64
"""Most pixels a side of the pictures that the baselines compare."""


def tasks_of(study: Study) -> list[Unit]:
    """List the adapters of the experiment.

    Args:
        study: The settings.

    Returns:
        One a task, rank and seed.

    Raises:
        OptionError: If there is no such task.
    """
    for name in study.datasets:
        if name not in PICTURE_TASKS:
            known = near(name, PICTURE_TASKS)
            raise OptionError(f"task {name!r} is unknown: {known}.")
    return units_of(study, noise=(False,))


def run(study: Study, out: str | Path, *, progress: Reporter | None = None) -> Measured:
    """Measure every cell that is not there yet.

    Args:
        study: The settings.
        out: Folder for records, adapters and, meanwhile, stores.
        progress: Told how far it is.

    Returns:
        The measurements.
    """
    compared = variants()
    return measured(
        NAME,
        study,
        out,
        units=tasks_of(study),
        keys=[
            ADAPTER,
            DRAWN,
            PASSES,
            *(Variant(name).key for name in BASELINES),
            *(variant.key for variant in compared),
        ],
        refused={**refusals(compared), **_without_margins(compared)},
        cells=_cells,
        progress=progress,
    )


def _without_margins(compared: Sequence[Variant]) -> dict[str, str]:
    """Name the variants that need what a denoiser has not."""
    return {
        variant.label: "it differentiates margins of labels, and pictures have none"
        for variant in compared
        if METHODS[variant.method].cls.output == Output.MARGIN
    }


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

    @cache
    def stores(output: Output, measure: Measure) -> Stores:
        if measure is Measure.LOSS:
            return subject.gradients(output)
        task = replace(_task(subject), measure=measure)
        rows = subject.rows
        return subject.collected(measure, (task, rows.train, rows.validation), output)

    for key in missing:
        found: dict[str, Any]
        try:
            if key in (ADAPTER, DRAWN, PASSES):
                found = _OTHERS[key["method"]](unit, subject)
            elif key["method"] in BASELINES:
                with metered() as spent:
                    values = _BASELINES[key["method"]](unit, subject)
                one = detected(values, subject.rows) | {"seconds": spent.seconds}
                found = dict.fromkeys(map(str, MEASURES), one)
            else:
                found = {
                    str(measure): _method(
                        key, partial(stores, measure=measure), subject
                    )
                    for measure in MEASURES
                }
        except DatainfError as error:  # said at the end, and tried the next time
            refused[Variant(**key).label] = str(error)
            continue
        yield key, found


def _method(
    key: Key, stores: Callable[[Output], Stores], subject: Opened
) -> dict[str, Any]:
    """Measure one variant, by the gradients of one measure."""
    scores, cost = scored(key, stores, subject.moments)
    return detected(scores.values, subject.rows) | cost


def _adapter(unit: Unit, subject: Opened) -> dict[str, Any]:
    """Say how well the adapter has learned, and what it was measured on."""
    del unit
    model: Any = subject.subject.model
    rows = subject.rows
    with model.disable_adapter():
        before = mean_loss(model, _task(subject), rows.validation)
    return learned(subject) | {
        "classes": len({row["class"] for row in rows.train}),
        "validation_loss_before": before,
    }


def _drawn(unit: Unit, subject: Opened) -> dict[str, Any]:
    """Draw with the adapter of the first seed."""
    if unit.seed:
        return {"drawn": [], "explained": []}
    ours = PICTURE_TASKS[unit.dataset].ours
    return drawn(subject, _task(subject), explain=ours)


def _passes(unit: Unit, subject: Opened) -> dict[str, Any]:
    """Compare rankings by timesteps and by the seed of the noise."""
    if unit.seed >= FEW:
        return {}
    train, queries = _few(subject.rows)
    reference = _by_passes(subject, REFERENCE, 2)
    found: dict[str, Any] = {}
    for timesteps in TIMESTEPS:
        first, second = (_by_passes(subject, timesteps, seed) for seed in (0, 1))
        found[str(timesteps)] = {
            "spearman": _likeness(first["datainf"], reference["datainf"]),
            "overlap": _overlap(first["datainf"], second["datainf"]),
            **{name: detected_among(first[name], train, queries) for name in RANKED_BY},
        }
    found[str(REFERENCE)] = {
        name: detected_among(reference[name], train, queries) for name in RANKED_BY
    }
    return found


def _few(rows: StudyRows) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return rows.train[:ROWS], rows.validation[:QUERIES]


def _by_passes(
    subject: Opened, timesteps: int, seed: int
) -> dict[str, Float[np.ndarray, "Q N"]]:
    """Rank a few pictures, by each of `RANKED_BY`."""
    task = replace(_task(subject), timesteps=timesteps, noise_seed=seed)
    seen = (task, *_few(subject.rows))
    stores = subject.collected(f"{timesteps}-{seed}", seen)
    return {
        name: np.asarray(score(*stores, method=name, agreement=False).values)
        for name in RANKED_BY
    }


def _likeness(
    first: Float[np.ndarray, "Q N"], second: Float[np.ndarray, "Q N"]
) -> float:
    pairs = zip(first, second, strict=True)
    return float(np.mean([spearman(a, b) for a, b in pairs]))


def _overlap(
    first: Float[np.ndarray, "Q N"], second: Float[np.ndarray, "Q N"]
) -> float:
    """Give the share of the strongest proponents that two rankings have in common."""
    count = min(TOP, first.shape[1])
    tops = (np.argsort(x, axis=1, kind="stable")[:, :count] for x in (first, second))
    shared = [len({*a} & {*b}) / count for a, b in zip(*tops, strict=True)]
    return float(np.mean(shared))


def _loss(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    """Put the pictures of the highest loss first, whatever is asked."""
    del unit
    return loss_scores(subject.train.losses, len(subject.validation))


def _tfidf(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    """Compare captions."""
    del unit
    rows = subject.rows
    return tfidf_scores(*([row["text"] for row in p] for p in _parts(rows)))


def _pixels(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    """Compare pictures place by place."""
    del unit
    return pixel_scores(*(_small(subject, part) for part in _parts(subject.rows)))


def _colours(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    """Compare how much there is of each colour."""
    del unit
    return histogram_scores(*(_small(subject, part) for part in _parts(subject.rows)))


def _features(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    """Compare what the tuned denoiser sees."""
    del unit
    model, task = subject.subject.model, _task(subject)
    return cosine_scores(
        *(picture_features(model, task, part).numpy() for part in _parts(subject.rows))
    )


def _random(unit: Unit, subject: Opened) -> NDArray[np.floating]:
    return random_scores(len(subject.validation), len(subject.train), seed=unit.seed)


def _parts(rows: StudyRows) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return rows.train, rows.validation


def _small(
    subject: Opened, rows: Sequence[Mapping[str, Any]]
) -> list[UInt8[np.ndarray, "H W 3"]]:
    """Take pictures as the model sees them; large ones smaller."""
    found = []
    for row in rows:
        image = _task(subject).fitted(row)
        side = min(_SIDE, *image.size)
        found.append(np.array(image.resize((side, side))))
    return found


def _task(subject: Opened) -> TextToImage:
    return cast(TextToImage, subject.subject.task)


_BASELINES: Mapping[str, Callable[[Unit, Opened], NDArray[np.floating]]] = {
    "loss": _loss,
    "TF-IDF": _tfidf,
    "pixels": _pixels,
    "colours": _colours,
    "features": _features,
    "random": _random,
}
_OTHERS: Mapping[str, Callable[[Unit, Opened], dict[str, Any]]] = {
    str(ADAPTER["method"]): _adapter,
    str(DRAWN["method"]): _drawn,
    str(PASSES["method"]): _passes,
}
