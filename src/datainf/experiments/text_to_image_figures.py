"""The figures of `datainf reproduce text-to-image`, drawn from its records."""

from typing import Any

import numpy as np

from datainf.experiments.cells import Measured
from datainf.experiments.class_finding_figure import detection
from datainf.experiments.comparing import cells, groups
from datainf.experiments.drawn import DRAWN
from datainf.experiments.text_to_image import NAME, TIMESTEPS
from datainf.experiments.text_to_image_page import finding
from datainf.experiments.text_to_image_timesteps import chance, passes
from datainf.reports.contact_sheet import Shown, Strip, contact_sheet
from datainf.reports.figure import Axis, Panel, Series, figure, linear_axis

_LARGE = 100
_GREY = 6
_LEGEND = ("gradient of the loss", "of D-TRAK's square")


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
        NAME: detection(read, _LEGEND, baseline_sides=(read.first,)),
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
        ends = [y for one in series for _, y in one.points] + [0.0, 1.0]
        axis = _timesteps_axis()
        by_chance = chance(measured, group)
        if by_chance is not None:
            level = ((axis.low, by_chance), (axis.high, by_chance))
            series.append(Series("kept by chance", level, dashed=True, colour=_GREY))
        panels.append(
            Panel(
                f"{group[0]}, r = {group[1]}",
                axis,
                linear_axis("Spearman, or share kept", ends),
                tuple(series),
            )
        )
    return figure(panels, title="How much a ranking depends on its timesteps")


def _timesteps_axis() -> Axis:
    """End with the last that was measured."""
    ticks = tuple((float(t), str(t)) for t in TIMESTEPS)
    return Axis("timesteps", 1.0, max(2.0, ticks[-1][0]), ticks, log=True)


def _drawn(rows: list[dict[str, Any]], task: str) -> str:
    before = [Shown(row["before"], "") for row in rows]
    after = [Shown(row["after"], row["prompt"]) for row in rows]
    return contact_sheet(
        [Strip("the base", before), Strip("with the adapter", after)],
        f"Drawn from the same prompts and noise: {task}",
    )


def _explained(rows: list[dict[str, Any]], task: str) -> str:
    strips = []
    for row in rows:
        query = Shown(row["picture"], row["text"], frame=True)
        towards, away = (
            [
                Shown(one["picture"], one["text"], note=_signed(one["score"]))
                for one in row[key]
            ]
            for key in ("proponents", "opponents")
        )
        strips += [
            Strip("A query, and its strongest proponents", [query, *towards]),
            Strip("its strongest opponents", away, start=1),
        ]
    return contact_sheet(
        strips,
        f"For and against {len(rows)} held-out pictures (DataInf, unit length): {task}",
    )


def _signed(score: float) -> str:
    """Write a score with its sign and without an exponent."""
    text = f"{score:+,.0f}" if abs(score) >= _LARGE else f"{score:+.2g}"
    return text.replace("-", "−")
