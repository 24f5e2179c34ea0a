"""`datainf reproduce filtered`: does training again on the kept rows do better?

The paper's experiment (Kwon et al., ICLR 2024, appendix F, Fig. 7): the 70 % most
beneficial training rows of each method are kept, the same recipe is trained on them
from the same seed, and the measure is accuracy. Here that is measured on rows that the
scores never saw, beside those whose mean loss they explain, since a choice by some rows
flatters itself on them. Units, rows and adapters are those of `mislabeled`.

Cells: one a unit, variant and size, kept in `filtered.jsonl`. Cost: one training for
each different choice of rows.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import nn

from datainf.core.errors import DatainfError, NonFiniteError, OptionError
from datainf.core.options import Normalize
from datainf.core.run_config import RunConfig
from datainf.core.task import Task
from datainf.evaluation.baselines import random_scores
from datainf.experiments.cells import Key, Measured, Refused, measured
from datainf.experiments.data.unseen_rows import unseen_rows
from datainf.experiments.measuring import BASELINES
from datainf.experiments.mislabeled import suspicion_of, towards_validation
from datainf.experiments.presets import Study
from datainf.experiments.units import Opened, Unit, base_of, recipe_of, units_of
from datainf.experiments.variants import Variant, defaults, refusals
from datainf.workflows.judgement import judge
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Chosen, Retrainer
from datainf.workflows.rows import Rows, look_at

NAME = "filtered"
DATASETS = ("sst2", "noisy_ag_news")
"""Those of the small preset, flipped and real noise: every choice costs a training."""
ALL, RIGHT, ORACLE = "all rows", "right rows", "oracle"
REFERENCES = (ALL, RIGHT, ORACLE)
"""Every row; every row that is not wrong; wrong rows dropped first, then by chance."""
_FEW = ("dot", "datainf", "exact", "lissa", "ekfac")
"""Of the small preset, where a training is most of the cost."""
_NORMALIZED = ("datainf", "exact")


@dataclass(frozen=True)
class Filtering:
    """How much is kept, and what it is tested on.

    Attributes:
        keep: Share of the training rows.
        test_rows: Rows that no score has seen, at most.
    """

    keep: float = 0.7
    test_rows: int = 400

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            OptionError: If everything or nothing is kept, or nothing tested.
        """
        if not 0 < self.keep < 1:
            raise OptionError(f"keep must lie between 0 and 1, got {self.keep:g}.")
        if self.test_rows < 1:
            raise OptionError(f"test_rows must be at least 1, got {self.test_rows}.")

    def key(self, variant: Variant) -> dict[str, Any]:
        """Name what a variant keeps among the cells of a unit.

        Args:
            variant: The variant, or one of the baselines or references.

        Returns:
            JSON values.
        """
        return {**variant.key, **asdict(self)}


@dataclass(frozen=True)
class Filtered:
    """What was measured so far.

    Attributes:
        measured: The cells.
        filtering: How much was kept.
    """

    measured: Measured
    filtering: Filtering


def variants(study: Study) -> list[Variant]:
    """List what chooses rows by gradients.

    Args:
        study: The settings.

    Returns:
        Every method by its own settings, of the small preset few, and two with blocks
        of unit length.
    """
    few = study.preset == "small"
    chosen = [v for v in defaults() if not few or v.method in _FEW]
    blocks = {"normalize": str(Normalize.BLOCK)}
    return [*chosen, *(Variant(name, blocks) for name in _NORMALIZED)]


def every(study: Study) -> list[Variant]:
    """List all that chooses rows.

    Args:
        study: The settings.

    Returns:
        Methods, baselines, references.
    """
    return [*variants(study), *map(Variant, (*BASELINES, *REFERENCES))]


def run(
    study: Study,
    out: str | Path,
    filtering: Filtering,
    *,
    progress: Reporter | None = None,
) -> Filtered:
    """Measure every cell that is not there yet.

    Args:
        study: The settings.
        out: Folder for records, adapters and, meanwhile, stores.
        filtering: How much is kept.
        progress: Told how far it is.

    Returns:
        The measurements.
    """
    found = measured(
        NAME,
        study,
        out,
        units=units_of(study),
        keys=[filtering.key(variant) for variant in every(study)],
        refused=refusals(variants(study)),
        cells=partial(_cells, study, filtering),
        progress=progress,
    )
    return Filtered(found, filtering)


def _cells(
    study: Study,
    filtering: Filtering,
    unit: Unit,
    subject: Opened,
    missing: Sequence[Key],
    refused: Refused,
) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Measure the missing cells of one unit.

    Yields:
        Key and result, one at a time, so that each is kept at once.
    """
    test = unseen_rows(
        unit.dataset,
        study.sample,
        subject.rows,
        count=filtering.test_rows,
        seed=unit.seed,
        data_dir=study.data_dir,
    )
    again = Again(unit, study, subject, test)
    suspicions = partial(
        suspicion_of, unit=unit, subject=subject, towards=towards_validation(subject)
    )
    for key in missing:
        try:
            if key["method"] in REFERENCES:
                kept = _reference(key["method"], unit, subject.wrong, filtering.keep)
            else:
                suspicion, _ = suspicions(key)
                kept = least(suspicion, filtering.keep, seed=unit.seed)
        except DatainfError as error:  # said at the end, and tried the next time
            refused[Variant(key["method"], key["options"]).label] = str(error)
            continue
        facts = {
            "rows": len(subject.wrong),
            "kept": len(kept),
            "wrong": int(subject.wrong.sum()),
            "wrong_kept": int(subject.wrong[kept].sum()),
            "test_rows": len(test),
        }
        yield key, {**facts, **again.measured(kept)}


def least(
    suspicion: Float[np.ndarray, " N"], keep: float, *, seed: int
) -> Int[np.ndarray, " K"]:
    """Choose the least suspicious rows.

    Args:
        suspicion: Of each row.
        keep: Share that is chosen.
        seed: Chooses among equals.

    Returns:
        Their numbers, in order.
    """
    chance = random_scores(1, len(suspicion), seed=seed)[0]
    order = np.lexsort((chance, suspicion))
    return np.sort(order[: max(1, round(keep * len(suspicion)))])


def _reference(
    name: str, unit: Unit, wrong: np.ndarray, keep: float
) -> Int[np.ndarray, " K"]:
    """Choose rows by what nobody knows of real data, or all."""
    if name == ORACLE:
        return least(wrong.astype(np.float64), keep, seed=unit.seed)
    return np.flatnonzero(np.ones_like(wrong) if name == ALL else ~wrong)


class Again:
    """A unit's recipe on some of its rows; equal choices are trained once."""

    def __init__(
        self,
        unit: Unit,
        study: Study,
        subject: Opened,
        test: Sequence[Mapping[str, Any]],
    ) -> None:
        """Look at what is measured.

        Args:
            unit: Which adapter.
            study: The settings of the family.
            subject: The adapter, trained on all rows.
            test: Rows that no score has seen.
        """
        self._unit, self._study, self._subject = unit, study, subject
        task, say = subject.subject.task, Logged()
        self._parts = {
            "validation": look_at(subject.rows.validation, task, say, text=False),
            "test": look_at(test, task, say, text=False),
        }
        self._known: dict[bytes, dict[str, Any]] = {}
        # What warms up is a share of the steps, which follow from the rows.
        self._retrainer = cache(self._retrainer_of)

    def measured(self, kept: Int[np.ndarray, " K"]) -> dict[str, Any]:
        """Measure what training on some rows gives.

        Args:
            kept: Their numbers.

        Returns:
            Loss and accuracy on the validation and the test rows, or the `problem`
            where training diverged, and `seconds`.
        """
        name = kept.tobytes()
        if name not in self._known:
            whole = len(kept) == len(self._subject.rows.train)
            self._known[name] = self._as_it_is() if whole else self.trained(kept)
        return self._known[name]

    def _as_it_is(self) -> dict[str, Any]:
        """Measure the unit's own adapter, which was trained on all rows."""
        return {**self._judged(self._subject.subject.model), "seconds": 0.0}

    def trained(self, kept: Int[np.ndarray, " K"]) -> dict[str, Any]:
        """Train on some rows, whatever is known, and measure.

        Args:
            kept: Their numbers.

        Returns:
            As `measured`.
        """
        began = time.perf_counter()
        data = Chosen(self._subject.rows.train, kept)
        try:
            with self._retrainer(len(kept)).fitted(data, self._unit.seed) as model:
                found = self._judged(model)
        except NonFiniteError as error:
            found = {"problem": str(error)}
        return {**found, "seconds": time.perf_counter() - began}

    def _retrainer_of(self, rows: int) -> Retrainer:
        return Retrainer(
            RunConfig(
                model=base_of(self._unit, self._study),
                precision=self._study.precision,
                task=self._subject.subject.task.settings(),
                recipe=recipe_of(self._unit, self._study, rows),
            )
        )

    def _judged(self, model: nn.Module) -> dict[str, Any]:
        task = self._subject.subject.task
        return {name: _judged(model, task, rows) for name, rows in self._parts.items()}


def _judged(model: nn.Module, task: Task, rows: Rows) -> dict[str, float | None]:
    found = judge(model, task, rows)
    return {
        "accuracy": None if found.right is None else float(found.right.mean()),
        "loss": float(found.losses.mean()),
    }
