"""The figure of `datainf reproduce counterfactual`, drawn from its records."""

from datainf.experiments.counterfactual import BASELINES, Findings
from datainf.experiments.counterfactual_page import lds_cells, shown, title_of
from datainf.reports.figure import Panel, Series, dot, figure, linear_axis, named_axis


def drawing(findings: Findings) -> str:
    """Draw the LDS of the methods of the first table, with intervals, by design.

    Args:
        findings: The experiment.

    Returns:
        The SVG.
    """
    panels = []
    for cell, result in lds_cells(findings):
        rows = [
            (said, name, result["scores"][name])
            for name, said in shown(findings).items()
            if name in result["scores"]
        ]
        ends = [value for _, _, one in rows for value in (one["low"], one["high"])]
        series = [
            dot(
                one["lds"],
                -float(i),
                ends=(one["low"], one["high"]),
                colour=1 if name in BASELINES else 0,
            )
            for i, (_, name, one) in enumerate(rows)
        ]
        ceiling = result["ceiling"]
        if ceiling is not None:
            top, last = ceiling["perfect_predictor"], float(len(rows))
            line = ((top, 0.5), (top, 0.5 - last))
            series.append(Series("", line, line=True, dashed=True, colour=2))
            ends.append(top)
        panels.append(
            Panel(
                title_of(cell),
                linear_axis("LDS (orange: no gradient; dashed: ceiling)", [0.0, *ends]),
                named_axis("", [said for said, _, _ in rows]),
                tuple(series),
            )
        )
    return figure(panels, title="Which scores foretell what retraining shows")
