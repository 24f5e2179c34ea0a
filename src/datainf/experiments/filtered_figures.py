"""The figure of `datainf reproduce filtered`, drawn from its records."""

import numpy as np

from datainf.evaluation.seeds import seed_mean
from datainf.experiments.comparing import groups
from datainf.experiments.filtered import REFERENCES, Filtered
from datainf.experiments.filtered_page import rows
from datainf.experiments.measuring import BASELINES
from datainf.reports.figure import Panel, dot, figure, linear_axis, named_axis

_METHOD, _BASELINE, _REFERENCE = 0, 1, 2
_COLOURS = {
    **dict.fromkeys(BASELINES, _BASELINE),
    **dict.fromkeys(REFERENCES, _REFERENCE),
}


def drawing(found: Filtered) -> str:
    """Draw what training on the kept rows gives, data set by data set.

    Args:
        found: The experiment.

    Returns:
        The SVG: accuracy on the test rows with its interval, or the loss where a task
        has no classes; the best first. Data sets without a measurement have no panel.
    """
    panels = []
    for group in groups(found.measured):
        panel = _panel(found, group)
        if panel is not None:
            panels.append(panel)
    return figure(panels, title="Trained again on the rows that are kept")


def _panel(found: Filtered, group: tuple[str, int]) -> Panel | None:
    lines = rows(found, group)
    classes = any(x is not None for row in lines for x in row["test accuracy"])
    measure = "accuracy" if classes else "loss"
    known = {
        row["method"]: [x for x in row[f"test {measure}"] if x is not None]
        for row in lines
    }
    means = {name: seed_mean(numbers) for name, numbers in known.items() if numbers}
    if not means:
        return None
    series = tuple(
        dot(
            m.mean,
            -float(i),
            ends=(m.low, m.high),
            colour=_COLOURS.get(name, _METHOD),
        )
        for i, (name, m) in enumerate(means.items())
    )
    ends = [x for m in means.values() for x in m if np.isfinite(x)]
    return Panel(
        f"{group[0]}, r = {group[1]}",
        linear_axis(f"test {measure} (orange: no gradient, green: reference)", ends),
        named_axis("", list(means)),
        series,
    )
