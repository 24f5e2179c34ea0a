"""`datainf reproduce approximation`: how close is each method to Eq. 2, rank by rank?

The paper's experiment (Kwon et al., ICLR 2024, Fig. 1, noisy; Fig. 5, clean): scores of
the training rows for the mean validation loss, correlated with those of Eq. 2 (`exact`)
at the same damping. Spearman's correlation stands beside Pearson's.

Cells: one an adapter (data set, rank, seed, noise) and method, in
`approximation.jsonl`; adapters are shared with `mislabeled`.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from datainf.core.errors import DatainfError
from datainf.core.options import Output
from datainf.estimators.table import METHODS
from datainf.evaluation.correlation import pearson, spearman
from datainf.experiments.cells import Key, Measured, Refused, measured
from datainf.experiments.presets import Study
from datainf.experiments.units import Opened, Unit, units_of
from datainf.experiments.variants import Variant, defaults, refusals
from datainf.workflows.mean import MeanSource
from datainf.workflows.progress import Reporter
from datainf.workflows.score import score

NAME = "approximation"
REFERENCE = "exact"
DATASETS = ("sst2",)
"""Those of the small preset: five ranks, noisy and clean, are many adapters."""


def run(study: Study, out: str | Path, *, progress: Reporter | None = None) -> Measured:
    """Measure every cell that is not there yet.

    Args:
        study: The settings.
        out: Folder for records, adapters and, meanwhile, stores.
        progress: Told how far it is.

    Returns:
        The measurements.
    """
    variants = defaults()
    return measured(
        NAME,
        study,
        out,
        units=units_of(study, noise=(True, False)),
        keys=[v.key for v in variants if v.method != REFERENCE],
        refused=refusals(variants) | no_losses(variants),
        cells=_correlations,
        progress=progress,
    )


def no_losses(variants: Sequence[Variant]) -> dict[str, str]:
    """Leave out what does not score the loss at one state.

    Args:
        variants: What is to run.

    Returns:
        Label -> why, for those that score something else.
    """
    kinds = {v.label: METHODS[v.method].cls for v in variants}
    margin = "{} scores the margin, and Eq. 2 the loss."
    step = "{} scores steps of Adam, and Eq. 2 the loss at one state."
    return {
        label: (step if kind.needs_moments else margin).format(label)
        for label, kind in kinds.items()
        if kind.needs_moments or kind.output != Output.LOSS
    }


def _correlations(
    unit: Unit,  # noqa: ARG001 - all that is needed stands in the stores
    subject: Opened,
    missing: Sequence[Key],
    refused: Refused,
) -> Iterator[tuple[Key, dict[str, float | None]]]:
    """Correlate methods with Eq. 2 on one adapter.

    Yields:
        Key and result.
    """
    mean = MeanSource(subject.validation)
    true = score(subject.train, mean, method=REFERENCE, agreement=False).values[0]
    for key in missing:
        method = key["method"]
        try:
            scores = score(subject.train, mean, method=method, agreement=False)
        except DatainfError as error:  # said at the end, and tried the next time
            refused[Variant(**key).label] = str(error)
            continue
        measures = {
            "pearson": pearson(scores.values[0], true),
            "spearman": spearman(scores.values[0], true),
        }
        # A correlation that is not defined is kept as such.
        yield key, {n: None if math.isnan(x) else x for n, x in measures.items()}
