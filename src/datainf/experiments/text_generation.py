"""`datainf reproduce text-generation`: do a query's proponents come from its class?

The paper's experiment (Kwon et al., ICLR 2024, Table 2, language rows): an adapter
learns ten classes of a task; for every held-out query the training rows are ranked by
influence, and the measures are the ROC AUC against "same class" and the recall among as
many rows as the class has (`evaluation/retrieval.py`), averaged over the queries.

Two gradients of each adapter: of the completion's loss, which training lowered, and of
the prompt's alone, as the published code took them (without its loss of padding, and
with one adapter a task, where it had one for all). The four baselines read what the
gradient reads.

Cells: one a unit (task and wording, rank, seed) and variant, kept in
`text-generation.jsonl`; each holds both gradients' measures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from datainf.core.errors import DatainfError, OptionError, near
from datainf.evaluation.baselines import random_scores, tfidf_scores
from datainf.experiments.cells import ADAPTER, Key, Measured, Refused, measured
from datainf.experiments.data.study_rows import text_of
from datainf.experiments.data.text_tasks import TEXT_TASKS
from datainf.experiments.exact_match import exact_match
from datainf.experiments.measuring import (
    BASELINES,
    detected,
    embedding_scores,
    learned,
    loss_scores,
    scored,
)
from datainf.experiments.meter import metered
from datainf.experiments.presets import Study
from datainf.experiments.units import Opened, Target, Unit, units_of
from datainf.experiments.variants import Variant, all_variants, refusals
from datainf.integrations.generation import answers
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.workflows.progress import Reporter

NAME = "text-generation"


def variants() -> list[Variant]:
    """List what is compared: every method by its own settings, and normalised."""
    return all_variants(dampings=())


def tasks_of(study: Study) -> list[Unit]:
    """List the adapters of the experiment.

    Args:
        study: The settings.

    Returns:
        One a task, wording, rank and seed.

    Raises:
        OptionError: If there is no such task.
    """
    for name in study.datasets:
        if name not in TEXT_TASKS:
            raise OptionError(f"task {name!r} is unknown: {near(name, TEXT_TASKS)}.")
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
            *(Variant(name).key for name in BASELINES),
            *(variant.key for variant in compared),
        ],
        refused=refusals(compared),
        cells=_cells,
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
    for key in missing:
        if key == ADAPTER:
            yield key, _adapter(subject)
            continue
        measure = _baseline if key["method"] in BASELINES else _method
        try:
            found = {
                str(target): measure(unit, subject, key, target) for target in Target
            }
        except DatainfError as error:  # said at the end, and tried the next time
            refused[Variant(**key).label] = str(error)
            continue
        yield key, found


def _method(unit: Unit, subject: Opened, key: Key, target: Target) -> dict[str, Any]:
    """Measure one variant, by the gradients of one loss."""
    del unit
    gradients = partial(subject.gradients, target=target)
    scores, cost = scored(key, gradients, subject.moments)
    return detected(scores.values, subject.rows) | cost


def _baseline(unit: Unit, subject: Opened, key: Key, target: Target) -> dict[str, Any]:
    """Measure what looks at no gradient."""
    with metered() as spent:
        scores = _BASELINES[key["method"]](unit, subject, target)
    return detected(scores, subject.rows) | {"seconds": spent.seconds}


def _adapter(subject: Opened) -> dict[str, Any]:
    """Say how well the adapter has learned, and what it was measured on."""
    model: Any = subject.subject.model
    task, rows = cast(CausalLM, subject.subject.task), subject.rows

    def right() -> float:
        prompts = [row["prompt"] for row in rows.validation]
        answered = answers(model, task, prompts)
        return exact_match(answered, rows.validation)

    after = right()
    with model.disable_adapter():
        before = right()
    return learned(subject) | {"exact_match_before": before, "exact_match": after}


def _loss(unit: Unit, subject: Opened, target: Target) -> NDArray[np.floating]:
    """Put the rows of the highest loss first, whatever is asked."""
    del unit
    train, queries = subject.gradients(target=target)
    return loss_scores(train.losses, len(queries))


def _tfidf(unit: Unit, subject: Opened, target: Target) -> NDArray[np.floating]:
    """Compare wordings: of prompts alone, or of prompts with their completions."""
    del unit
    _, train, queries = subject.read(target)
    return tfidf_scores([text_of(x) for x in train], [text_of(x) for x in queries])


def _embedding(unit: Unit, subject: Opened, target: Target) -> NDArray[np.floating]:
    """Compare mean hidden states of the tuned model."""
    del unit
    return embedding_scores(subject.subject.model, *subject.read(target))


def _random(unit: Unit, subject: Opened, target: Target) -> NDArray[np.floating]:
    """Draw one seed's scores for both."""
    del target
    return random_scores(len(subject.validation), len(subject.train), seed=unit.seed)


_BASELINES: Mapping[str, Callable[[Unit, Opened, Target], NDArray[np.floating]]] = {
    "loss": _loss,
    "TF-IDF": _tfidf,
    "embedding": _embedding,
    "random": _random,
}
