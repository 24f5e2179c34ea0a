"""The figure of Table 2's experiments: every method's AUC, a dot for each gradient."""

from collections.abc import Collection
from typing import Any

import numpy as np

from datainf.evaluation.seeds import seed_mean
from datainf.experiments.class_finding import ClassFinding
from datainf.experiments.comparing import groups
from datainf.experiments.variants import defaults
from datainf.reports.figure import (
    Panel,
    Series,
    dot,
    figure,
    linear_axis,
    named_axis,
)

_BASELINE = 1
_COLOURS = (0, 2)
_APART = 0.28


def detection(read: ClassFinding, axis: str, *, baseline_sides: Collection[str]) -> str:
    """Draw the AUC of every method by its own settings, task by task.

    Args:
        read: The experiment.
        axis: The axis' title: says which colour is what.
        baseline_sides: Gradients with which baselines have a number of their own.

    Returns:
        The SVG. Tasks without a measurement have no panel.
    """
    shown = {*(variant.label for variant in defaults()), *read.baselines}
    panels = []
    for group in groups(read.measured):
        found = [row for row in read.rows(group) if row["method"] in shown]
        if not found:
            continue
        series, ends = [], [0.5]
        for i, row in enumerate(found):
            baseline = row["method"] in read.baselines
            sides = [s for s in read.sides if not baseline or s in baseline_sides]
            for number, side in enumerate(sides):
                mean = seed_mean(row["auc"][side])
                ends += [x for x in mean if np.isfinite(x)]
                middle = (len(sides) - 1) / 2
                series.append(
                    dot(
                        mean.mean,
                        -float(i) + _APART * (middle - number),
                        ends=(mean.low, mean.high),
                        colour=_BASELINE if baseline else _COLOURS[number],
                    )
                )
        panels.append(_panel(group, axis, found, series, ends))
    return figure(panels, title="Is the query's class first?")


def _panel(
    group: tuple[str, int],
    axis: str,
    found: list[dict[str, Any]],
    series: list[Series],
    ends: list[float],
) -> Panel:
    return Panel(
        f"{group[0]}, r = {group[1]}",
        linear_axis(axis, ends),
        named_axis("", [row["method"] for row in found]),
        tuple(series),
    )
