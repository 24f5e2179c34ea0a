"""The figure of Table 2's experiments: every method's AUC, a mark for each gradient."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from datainf.evaluation.seeds import seed_mean
from datainf.experiments.class_finding import ClassFinding
from datainf.experiments.comparing import Group, groups
from datainf.experiments.variants import defaults
from datainf.reports.figure import (
    Panel,
    Series,
    dot,
    figure,
    linear_axis,
    named_axis,
)

_BASELINE, _GREY = 1, 6
_COLOURS = (0, 2)
_APART = 0.28
_BAR = 0.4
"""Half the height of the paper's bar."""
_CHANCE = 0.5


def detection(
    read: ClassFinding, legend: Sequence[str], *, baseline_sides: Collection[str]
) -> str:
    """Draw the AUC of every method by its own settings, task by task.

    Methods that rank as another one does are left out.

    Args:
        read: The experiment.
        legend: The gradients in words, in the order of the sides.
        baseline_sides: Gradients with which baselines have a number of their own.

    Returns:
        The SVG. Tasks without a measurement have no panel.
    """
    shown = {*(variant.label for variant in defaults()), *read.baselines}
    panels = []
    for group in groups(read.measured):
        found = [
            row for row in read.rows(group) if row["method"] in shown - {*read.alike}
        ]
        if found:
            panels.append(_panel(read, group, found, baseline_sides))
    marks = [
        Series(said, ((0, 0),), colour=_COLOURS[number], square=bool(number))
        for number, said in enumerate(legend)
    ]
    marks += [
        Series("looks at no gradient", ((0, 0),), colour=_BASELINE),
        Series("the paper", (), colour=_GREY),
        Series("chance", ((0, 0),), dashed=True, colour=_GREY),
    ]
    return figure(panels, title="Is the query's class first?", legend=marks)


def _panel(
    read: ClassFinding,
    group: Group,
    found: Sequence[dict[str, Any]],
    baseline_sides: Collection[str],
) -> Panel:
    """Draw one task."""
    names = named_axis("", [row["method"] for row in found])
    chance = ((_CHANCE, names.low), (_CHANCE, names.high))
    series, ends = [Series("", chance, dashed=True, colour=_GREY)], [_CHANCE]
    claims = read.papers[group[0]].claims
    for i, row in enumerate(found):
        baseline = row["method"] in read.baselines
        sides = [s for s in read.sides if not baseline or s in baseline_sides]
        middle = (len(sides) - 1) / 2
        for number, side in enumerate(sides):
            mean = seed_mean(row["auc"][side])
            ends += [x for x in mean if np.isfinite(x)]
            series.append(
                dot(
                    mean.mean,
                    -float(i) + _APART * (middle - number),
                    ends=(mean.low, mean.high),
                    colour=_BASELINE if baseline else _COLOURS[number],
                    square=not baseline and bool(number),
                )
            )
        if row["method"] in claims:
            told = claims[row["method"]].auc
            ends.append(told)
            bar = ((told, -i - _BAR), (told, -i + _BAR))
            series.append(Series("", (), spans=(bar,), colour=_GREY))
    title = f"{group[0]}, r = {group[1]}"
    return Panel(title, linear_axis("AUC", ends), names, tuple(series))
