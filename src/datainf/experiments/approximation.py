"""`datainf reproduce approximation`: how close is each method to Eq. 2, rank by rank?

The paper's experiment (Kwon et al., ICLR 2024, Fig. 1, noisy; Fig. 5, clean): scores of
the training rows for the mean validation loss, correlated with those of Eq. 2 (`exact`)
at the same damping. Spearman's correlation stands beside Pearson's.

Cells: one an adapter (data set, rank, seed, noise) and method, in
`approximation.jsonl`; adapters are shared with `mislabeled`.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from datainf.core.errors import DatainfError
from datainf.evaluation.correlation import pearson, spearman
from datainf.experiments.mislabeled import Measured
from datainf.experiments.presets import Study
from datainf.experiments.records import Records
from datainf.experiments.surroundings import surroundings
from datainf.experiments.units import Opened, Unit, opened
from datainf.experiments.variants import Variant, defaults, refusals
from datainf.workflows.mean import MeanSource
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.score import score

NAME = "approximation"
REFERENCE = "exact"
DATASETS = ("sst2",)
"""Those of the small preset: five ranks, noisy and clean, are many adapters."""


def units_of(study: Study) -> list[Unit]:
    """List the adapters of the experiment, seed by seed.

    Args:
        study: The settings.

    Returns:
        One a data set, rank, noise and seed.
    """
    return [
        Unit(dataset, rank, seed, noisy)
        for seed in range(study.seeds)
        for dataset in study.datasets
        for rank in study.ranks
        for noisy in (True, False)
    ]


def run(study: Study, out: str | Path, *, progress: Reporter | None = None) -> Measured:
    """Measure every cell that is not there yet.

    Args:
        study: The settings.
        out: Folder for records, adapters and, meanwhile, stores.
        progress: Told how far it is.

    Returns:
        The measurements.
    """
    say, folder = progress or Logged(), Path(out)
    records = Records(folder / f"{NAME}.jsonl", surroundings())
    variants, units = defaults(), units_of(study)
    refused = refusals(variants)
    with say.stage(f"{NAME}: adapters", len(units)) as advance:
        for unit in units:
            own = unit.key(study)
            missing = [
                variant
                for variant in variants
                if variant.method != REFERENCE
                and variant.label not in refused
                and {**own, **variant.key} not in records
            ]
            if missing:
                with opened(unit, study, folder) as subject:
                    found = _correlations(subject, missing, refused)
                for variant, result in found:
                    records.add({**own, **variant.key}, result)
            advance(1)
    for label, reason in refused.items():
        say.say(f"{label} is left out: {reason}")
    return Measured(study, records, units, refused)


def _correlations(
    subject: Opened, variants: Sequence[Variant], refused: dict[str, str]
) -> list[tuple[Variant, dict[str, float | None]]]:
    """Correlate methods with Eq. 2 on one adapter."""
    mean = MeanSource(subject.validation)
    true = score(subject.train, mean, method=REFERENCE, agreement=False).values[0]
    found = []
    for variant in variants:
        try:
            scores = score(subject.train, mean, method=variant.method, agreement=False)
        except DatainfError as error:  # said at the end, and tried the next time
            refused[variant.label] = str(error)
            continue
        measures = {
            "pearson": pearson(scores.values[0], true),
            "spearman": spearman(scores.values[0], true),
        }
        # A correlation that is not defined is kept as such.
        result = {n: None if math.isnan(x) else x for n, x in measures.items()}
        found.append((variant, result))
    return found
