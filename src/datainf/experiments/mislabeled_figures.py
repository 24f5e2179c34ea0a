"""The figures of `datainf reproduce mislabeled`, drawn from its records."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from datainf.evaluation.seeds import seed_mean
from datainf.experiments.cells import Measured
from datainf.experiments.measuring import BASELINES
from datainf.experiments.mislabeled_page import in_full, ranked, rows
from datainf.experiments.variants import all_variants
from datainf.reports.figure import (
    Panel,
    Series,
    dot,
    figure,
    linear_axis,
    log_axis,
    named_axis,
)


def by_dataset(measured: Measured) -> str:
    """Draw the AUC of every method on every data set, with its interval.

    Args:
        measured: The experiment.

    Returns:
        The SVG.
    """
    panels = []
    for dataset, rank in in_full(measured):
        found = rows(measured, (dataset, rank))
        means = [seed_mean(row["auc"]) for row in found]
        ends = [x for m in means for x in (m.mean, m.low, m.high) if np.isfinite(x)]
        series = tuple(
            dot(
                m.mean,
                -float(i),
                ends=(m.low, m.high),
                colour=1 if found[i]["method"] in BASELINES else 0,
            )
            for i, m in enumerate(means)
        )
        panels.append(
            Panel(
                f"{dataset}, r = {rank}",
                linear_axis("AUC (orange: looks at no gradient)", [0.5, *ends]),
                named_axis("", [row["method"] for row in found]),
                series,
            )
        )
    panels += _by_rank(measured)
    return figure(panels, title="Who finds the wrong labels")


def _by_rank(measured: Measured) -> list[Panel]:
    """Draw mean AUC against rank, where there are several."""
    panels = []
    for dataset, table in ranked(measured).items():
        means = table.map(lambda auc: float(np.mean(auc)))
        series = [
            Series(
                str(name),
                tuple((float(str(r)), y) for r, y in line.items() if np.isfinite(y)),
                colour=_RANKED.index(str(name)),
            )
            for name, line in means.iterrows()
            if name in _RANKED
        ]
        heights = [y for one in series for _, y in one.points]
        panels.append(
            Panel(
                f"{dataset}, by rank",
                log_axis("LoRA rank", [float(str(r)) for r in table.columns]),
                linear_axis("AUC, mean over the seeds", [0.5, *heights]),
                tuple(series),
            )
        )
    return panels


_RANKED = ("dot", "datainf", "exact", "lissa", "ekfac", "loss")


def by_cost(measured: Measured) -> str:
    """Draw every method's AUC, time and residual, over all data sets.

    Further ranks of one data set are left out: it would count several times.

    Args:
        measured: The experiment.

    Returns:
        The SVG, best mean AUC first. Methods that are not measured in all settings are
        not drawn.
    """
    everywhere: dict[str, list[dict[str, Any]]] = {}
    settings = in_full(measured)
    for group in settings:
        for row in rows(measured, group):
            everywhere.setdefault(row["method"], []).append(row)
    whole = {n: p for n, p in everywhere.items() if len(p) == len(settings)}
    named = {n: p for n, p in whole.items() if n not in _normalized()}
    auc = {
        n: float(np.mean([np.mean(one["auc"]) for one in p])) for n, p in named.items()
    }
    names = sorted(auc, key=lambda name: -auc[name])
    seconds = {n: float(np.median([one["seconds"] for one in named[n]])) for n in names}
    residual = {n: [one["residual"] for one in named[n]] for n in names}
    known = {n: max(found) for n, found in residual.items() if None not in found}
    y = named_axis("", names)

    def dots(values: Mapping[str, float]) -> tuple[Series, ...]:
        return tuple(
            Series(
                "",
                ((values[name], -float(i)),),
                colour=1 if name in BASELINES else 0,
            )
            for i, name in enumerate(names)
            if name in values
        )

    panels = [
        Panel(
            "what it finds, mean over the data sets",
            linear_axis("AUC (orange: looks at no gradient)", [0.5, *auc.values()]),
            y,
            dots(auc),
        ),
        Panel(
            "what it costs",
            log_axis("seconds to score all rows, median", seconds.values()),
            y,
            dots(seconds),
        ),
        Panel(
            "how well its system is solved",
            log_axis("worst residual", known.values()),
            y,
            dots(known),
        ),
    ]
    return figure(panels, title="Every method by its own settings", columns=3)


def _normalized() -> list[str]:
    return [v.label for v in all_variants() if "normalize" in v.options]
