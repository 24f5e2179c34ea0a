"""The figure of `datainf reproduce text-generation`, drawn from its records."""

import numpy as np

from datainf.evaluation.seeds import seed_mean
from datainf.experiments.cells import Measured
from datainf.experiments.comparing import groups
from datainf.experiments.measuring import BASELINES
from datainf.experiments.text_generation_page import rows
from datainf.experiments.units import Target
from datainf.experiments.variants import defaults
from datainf.reports.figure import Panel, dot, figure, linear_axis, named_axis

_COLOURS = {Target.TASK: 0, Target.PROMPT: 2}
_BASELINE = 1
_AXIS = "AUC: completion blue, prompt green, else orange"


def drawing(measured: Measured) -> str:
    """Draw the AUC of every method by its own settings, task by task.

    Args:
        measured: The experiment.

    Returns:
        The SVG: a dot for each gradient, with its interval. Tasks without a
        measurement have no panel.
    """
    shown = {*(variant.label for variant in defaults()), *BASELINES}
    panels = []
    for group in groups(measured):
        found = [row for row in rows(measured, group) if row["method"] in shown]
        if not found:
            continue
        series = []
        ends = [0.5]
        for i, row in enumerate(found):
            baseline = row["method"] in BASELINES
            for target in Target:
                mean = seed_mean(row["auc"][target])
                ends += [x for x in mean if np.isfinite(x)]
                series.append(
                    dot(
                        mean.mean,
                        -float(i) + (0.14 if target is Target.TASK else -0.14),
                        ends=(mean.low, mean.high),
                        colour=_BASELINE if baseline else _COLOURS[target],
                    )
                )
        panels.append(
            Panel(
                f"{group[0]}, r = {group[1]}",
                linear_axis(_AXIS, ends),
                named_axis("", [row["method"] for row in found]),
                tuple(series),
            )
        )
    return figure(panels, title="Is the query's class first?")
