"""The figures of `datainf reproduce counterfactual`, drawn from its records."""

from collections.abc import Mapping, Sequence
from typing import Any

from datainf.experiments.counterfactual import BASELINES, NAME, Findings
from datainf.experiments.counterfactual_few import FIGURE
from datainf.experiments.counterfactual_page import lds_cells, shown, title_of
from datainf.reports.figure import Panel, Series, dot, figure, linear_axis, named_axis

_COLOURS = "orange: no gradient"

Row = tuple[str, str, Mapping[str, Any]]
"""What scores are called, their name, and their number with its interval."""


def figures(findings: Findings) -> dict[str, str]:
    """Draw all there is.

    Args:
        findings: The experiment.

    Returns:
        Name of a file without its ending -> SVG: every design's LDS, and, where
        examples were left out one by one or proponents dropped, those.
    """
    found = {NAME: lds(findings)}
    panels = _singles(findings) + _pruned(findings)
    if panels:
        title = "Single examples left out, and the strongest proponents dropped"
        found[FIGURE] = figure(panels, title=title)
    return found


def lds(findings: Findings) -> str:
    """Draw the LDS of the methods of the first table, with intervals, by design.

    Args:
        findings: The experiment.

    Returns:
        The SVG.
    """
    panels = [
        _panel(
            title_of(cell),
            f"LDS ({_COLOURS}; dashed: ceiling)",
            _named(findings, result["scores"]),
            "lds",
            result["ceiling"],
        )
        for cell, result in lds_cells(findings)
    ]
    return figure(panels, title="Which scores foretell what retraining shows")


def _singles(findings: Findings) -> list[Panel]:
    return [
        _panel(
            f"{cell.judged.name}, one example left out",
            f"Spearman ({_COLOURS}; dashed: ceiling)",
            _named(findings, result["scores"]),
            "loo",
            result["ceiling"],
        )
        for cell, result in findings.there()
        if cell.kind == "loo"
    ]


def _pruned(findings: Findings) -> list[Panel]:
    return [
        _panel(
            f"{cell.judged.name}, {result['scores'][0]['dropped']} dropped",
            f"rise of the queries' loss, less random ({_COLOURS})",
            [(row["scores"], row["scores"], row) for row in result["scores"]],
            "effect",
            None,
        )
        for cell, result in findings.there()
        if cell.kind == "prune"
    ]


def _named(findings: Findings, scores: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    return [
        (said, name, scores[name])
        for name, said in shown(findings).items()
        if name in scores
    ]


def _panel(
    title: str,
    axis: str,
    rows: Sequence[Row],
    value: str,
    ceiling: Mapping[str, Any] | None,
) -> Panel:
    ends = [end for _, _, one in rows for end in (one["low"], one["high"])]
    series = [
        dot(
            one[value],
            -float(i),
            ends=(one["low"], one["high"]),
            colour=1 if name in BASELINES else 0,
        )
        for i, (_, name, one) in enumerate(rows)
    ]
    if ceiling is not None:
        top, last = ceiling["perfect_predictor"], float(len(rows))
        line = ((top, 0.5), (top, 0.5 - last))
        series.append(Series("", line, line=True, dashed=True, colour=2))
        ends.append(top)
    return Panel(
        title,
        linear_axis(axis, [0.0, *ends]),
        named_axis("", [said for said, _, _ in rows]),
        tuple(series),
    )
