"""The figures of `datainf reproduce text-to-image`, drawn from its records."""

from typing import Any

import numpy as np

from datainf.experiments.cells import Measured
from datainf.experiments.class_finding_figure import detection
from datainf.experiments.comparing import cells, groups
from datainf.experiments.drawn import DRAWN
from datainf.experiments.text_to_image import NAME, TIMESTEPS
from datainf.experiments.text_to_image_page import finding, passes
from datainf.reports.contact_sheet import Shown, Strip, contact_sheet
from datainf.reports.figure import (
    Panel,
    Series,
    figure,
    linear_axis,
    log_axis,
)

_LARGE = 100
_AXIS = "AUC: loss blue, square green, else orange"


def figures(measured: Measured) -> dict[str, str]:
    """Draw all that the page shows.

    Args:
        measured: The experiment.

    Returns:
        Name -> SVG: every method's AUC, timesteps, and for each task what its adapter
        draws and what taught it, as far as there are pictures.
    """
    read = finding(measured)
    found = {
        # What looks at no gradient is the same beside both.
        NAME: detection(read, _AXIS, baseline_sides=(read.first,)),
        f"{NAME}-timesteps": timesteps(measured),
    }
    for dataset, rank in groups(measured):
        for one in cells(measured, (dataset, rank), DRAWN)[:1]:
            name = f"{NAME}-{dataset}-r{rank}"
            if one["drawn"]:
                found[f"{name}-drawn"] = _drawn(one["drawn"], dataset)
            if one["explained"]:
                found[f"{name}-explained"] = _explained(one["explained"], dataset)
    return found


def timesteps(measured: Measured) -> str:
    """Draw how like the reference a ranking is, by its number of timesteps.

    Args:
        measured: The experiment.

    Returns:
        The SVG.
    """
    panels = []
    for group in groups(measured):
        found = passes(measured, group)
        if not found:
            continue
        series = [
            Series(
                name,
                tuple((float(t), float(np.mean(found[t][key]))) for t in TIMESTEPS),
                colour=colour,
            )
            for colour, (key, name) in enumerate(
                (("spearman", "Spearman"), ("overlap", "top 10 kept"))
            )
        ]
        ends = [y for one in series for _, y in one.points] + [1.0]
        panels.append(
            Panel(
                f"{group[0]}, r = {group[1]}",
                log_axis("timesteps", [float(t) for t in TIMESTEPS]),
                linear_axis("", ends),
                tuple(series),
            )
        )
    return figure(panels, title="How much a ranking depends on its timesteps")


def _drawn(rows: list[dict[str, Any]], task: str) -> str:
    return contact_sheet(
        [
            Strip(said, [Shown(row[key], row["prompt"]) for row in rows])
            for key, said in (("before", "the base"), ("after", "with the adapter"))
        ],
        f"Drawn from the same prompts and noise: {task}",
    )


def _explained(rows: list[dict[str, Any]], task: str) -> str:
    strips = []
    for row in rows:
        query = Shown(row["picture"], row["text"], frame=True)
        for key in ("proponents", "opponents"):
            ends = [
                Shown(one["picture"], f"{one['text']} {_signed(one['score'])}")
                for one in row[key]
            ]
            strips.append(Strip(f"the query, and its strongest {key}", [query, *ends]))
    return contact_sheet(strips, f"DataInf, unit length: {task}")


def _signed(score: float) -> str:
    """Write a score with its sign and without an exponent."""
    return f"{score:+,.0f}" if abs(score) >= _LARGE else f"{score:+.2g}"
