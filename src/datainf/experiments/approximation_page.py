"""The page and the figure of `datainf reproduce approximation`, from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

import numpy as np
import pandas as pd

from datainf.evaluation.seeds import seed_mean
from datainf.experiments.approximation import NAME, REFERENCE
from datainf.experiments.cells import Measured
from datainf.experiments.tables import listed, markdown_table, mean_text
from datainf.experiments.variants import defaults
from datainf.reports.figure import Panel, Series, figure, linear_axis, log_axis

MEASURES = ("pearson", "spearman")
_TITLES = {"pearson": "Pearson's r with Eq. 2", "spearman": "Spearman's ρ with Eq. 2"}
_PAPER = {"dot": 0.50, "datainf": 0.64, "lissa": 0.45}
"""MRPC, r = 1 (Fig. 1)."""


def table(measured: Measured) -> pd.DataFrame:
    """Lay the cells out, one row a seed.

    Args:
        measured: The experiment.

    Returns:
        Columns `data`, `noisy`, `rank`, `seed`, `method`, `pearson`, `spearman`.
    """
    found = []
    for unit in measured.units:
        for variant in defaults():
            key = {**unit.key(measured.study), **variant.key}
            if key in measured.records:
                place = {"data": unit.dataset, "noisy": unit.noisy, "rank": unit.rank}
                own = {"seed": unit.seed, "method": variant.method}
                found.append({**place, **own, **measured.records[key]})
    columns = ["data", "noisy", "rank", "seed", "method", *MEASURES]
    return pd.DataFrame(found, columns=columns)


def summary(measured: Measured) -> pd.DataFrame:
    """Average over the seeds.

    Args:
        measured: The experiment.

    Returns:
        One row a data set, noise, rank and method.
    """
    by = ["data", "noisy", "rank", "method"]
    cells = table(measured).groupby(by, sort=False)
    return cells.agg(
        pearson=("pearson", "mean"),
        spearman=("spearman", "mean"),
        seeds=("seed", "count"),
    ).reset_index()


def page(measured: Measured, command: str) -> str:
    """Write the page.

    Args:
        measured: The experiment.
        command: What was typed, without places on a machine.

    Returns:
        Markdown.
    """
    study, cells = measured.study, table(measured)
    keys = [
        {**unit.key(study), **variant.key}
        for unit in measured.units
        for variant in defaults()
    ]
    parts = [
        "# How close to Eq. 2",
        f"Preset `{study.preset}`: the influence of every training row on the mean "
        "validation loss by each method, correlated with that of Eq. 2 "
        f"(`{REFERENCE}`) at damping 0.1, each method with its own defaults. "
        f"Ranks {listed([str(r) for r in study.ranks])}, {study.seeds} seeds; 95 % "
        "intervals are Student's t over the seeds.",
        f"![Correlation with Eq. 2 by rank]({NAME}.svg)",
        *(part for chosen in _groups(cells) for part in _section(cells, *chosen)),
        "## In words",
        "\n".join(f"- {line}" for line in verdicts(cells)),
        f"```\n{command}\n```",
        measured.records.spent(keys),
        "\n".join(measured.records.makers(keys)),
    ]
    return "\n\n".join(parts) + "\n"


def verdicts(cells: pd.DataFrame) -> list[str]:
    """Say beside the paper's Fig. 1 what was measured, by the numbers.

    Args:
        cells: What `table` gave.

    Returns:
        One sentence a finding.
    """
    found = []
    order = sorted(_PAPER, key=lambda name: -_PAPER[name])
    for data, noisy in _groups(cells):
        part = cells[(cells["data"] == data) & (cells["noisy"] == noisy)]
        low, high = part["rank"].min(), part["rank"].max()
        means = part.groupby(["rank", "method"])["pearson"].mean()
        at = {name: float(means.get((low, name), np.nan)) for name in order}
        if np.isnan(list(at.values())).any():
            continue
        ours = sorted(order, key=at.__getitem__, reverse=True)
        said = "reproduced" if ours == order else "not reproduced"
        falls = [name for name in order if means[(high, name)] < means[(low, name)]]
        numbers = ", ".join(f"`{n}` {at[n]:.2f} ({_PAPER[n]:.2f})" for n in order)
        found.append(
            f"{data}, {_noise(noisy)}, r = {low}: the order of Fig. 1 "
            f"({' > '.join(order)}) is **{said}**: ours is {' > '.join(ours)}. "
            f"Pearson's r, the paper's on MRPC in brackets: {numbers}. "
            f"From r = {low} to {high} it falls for "
            f"{listed(falls) if falls else 'none'} (paper: for all)."
        )
    return found


def drawing(measured: Measured) -> str:
    """Draw correlation against rank, with intervals.

    Args:
        measured: The experiment.

    Returns:
        The SVG.
    """
    cells = table(measured)
    panels = []
    for data, noisy in _groups(cells):
        part = cells[(cells["data"] == data) & (cells["noisy"] == noisy)]
        panels += [
            _panel(part, measure, f"{data}, {_noise(noisy)}") for measure in MEASURES
        ]
    return figure(panels, title="How close each method is to Eq. 2")


def _panel(part: pd.DataFrame, measure: str, title: str) -> Panel:
    series, ends = [], [0.0, 1.0]
    for i, method in enumerate(dict.fromkeys(part["method"])):
        points, spans = [], []
        for rank, own in part[part["method"] == method].groupby("rank"):
            known = own[measure].dropna()
            if len(known):
                mean, low, high = seed_mean(known)
                x = float(str(rank))
                points.append((x, mean))
                if np.isfinite(low):
                    spans.append(((x, low), (x, min(high, 1.0))))
                    ends.append(low)
        series.append(Series(method, tuple(points), spans=tuple(spans), colour=i))
    return Panel(
        title,
        log_axis("LoRA rank", part["rank"]),
        linear_axis(_TITLES[measure], ends),
        tuple(series),
    )


def _groups(cells: pd.DataFrame) -> list[tuple[str, bool]]:
    pairs = zip(cells["data"], cells["noisy"], strict=True)
    return list(dict.fromkeys((str(data), bool(noisy)) for data, noisy in pairs))


def _noise(noisy: bool) -> str:
    return "noisy labels" if noisy else "clean labels"


def _section(cells: pd.DataFrame, data: str, noisy: bool) -> list[str]:
    """Write both measures of one data set, a column a rank."""
    part = cells[(cells["data"] == data) & (cells["noisy"] == noisy)]
    ranks = sorted(set(part["rank"]))
    parts = [f"## {data}, {_noise(noisy)}"]
    for measure in MEASURES:
        lines = [
            [f"`{method}`", *(_cell(part, method, rank, measure) for rank in ranks)]
            for method in dict.fromkeys(part["method"])
        ]
        head = [_TITLES[measure], *(f"r = {rank}" for rank in ranks)]
        parts.append(markdown_table(head, lines))
    return parts


def _cell(part: pd.DataFrame, method: str, rank: int, measure: str) -> str:
    own = part[(part["method"] == method) & (part["rank"] == rank)]
    values = [None if pd.isna(x) else float(x) for x in own[measure]]
    return mean_text(values) if values else "–"
