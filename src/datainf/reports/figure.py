"""Figures for the documentation: panels with axes and directly labelled series, as SVG.

Text and lines alone, no script and no font of its own; on a white card, so that it
reads on light and dark pages alike. Numbers with intervals are points with a bar.
Geometry is computed here, `templates/figure.svg.j2` writes it down.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datainf.reports.templating import environment

# Okabe and Ito's colours, told apart by colour-blind readers too; yellow left out.
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d00", "#444444"
)  # fmt: skip
_PLOT = (300, 230)
_TOP, _BOTTOM, _GAP, _HEAD = 26, 44, 12, 30
_LETTER, _LINE = 6.4, 13.0
_LEGEND = 18

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: What it shows, with its unit.
        low: Value at its start.
        high: Value at its end.
        ticks: Values with what stands beside them.
        log: Whether equal steps are equal factors.
        named: Whether values stand for names.
    """

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False
    named: bool = False

    def share(self, value: float) -> float:
        """Say how far along the axis a value lies, from 0 to 1."""
        low, high, at = (
            (math.log(x) for x in (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        return (at - low) / (high - low)


@dataclass(frozen=True)
class Series:
    """Points of one kind.

    Attributes:
        name: Written beside the last point; nothing where it is empty.
        points: Where they lie, in the order of the line.
        spans: Bars from point to point, such as intervals.
        line: Whether the points are joined.
        dashed: Whether it is no measurement, but something to compare with; then
            without dots.
        colour: Number of its colour.
        square: Whether its points are squares and not circles.
    """

    name: str
    points: tuple[Point, ...]
    spans: tuple[tuple[Point, Point], ...] = ()
    line: bool = True
    dashed: bool = False
    colour: int = 0
    square: bool = False


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: Above it.
        x: The axis below.
        y: The axis at its left.
        series: What is drawn.
    """

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]


def linear_axis(title: str, values: Iterable[float]) -> Axis:
    """Make an axis of round numbers around some values.

    Args:
        title: What it shows, with its unit.
        values: Finite numbers that must lie on it.

    Returns:
        The axis.

    Examples:
        >>> [text for _, text in linear_axis("AUC", [0.52, 0.9]).ticks]
        ['0.5', '0.6', '0.7', '0.8', '0.9']
    """
    given = list(values)
    low, high = min(given), max(given)
    width = (high - low) or abs(high) or 1.0
    raw = width / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple((i * step, f"{i * step:.4g}") for i in range(first, last + 1))
    return Axis(title, first * step, last * step, ticks)


def log_axis(title: str, values: Iterable[float]) -> Axis:
    """Make an axis of powers (of ten, or of two over short ranges) around some values.

    Args:
        title: What it shows, with its unit.
        values: Positive numbers that must lie on it.

    Returns:
        The axis.

    Examples:
        >>> [text for _, text in log_axis("d", [8, 64]).ticks]
        ['8', '16', '32', '64']
    """
    given = list(values)
    low, high = min(given), max(given)
    base = 2 if high / low <= 2**8 else 10
    first = math.floor(math.log(low, base) + 1e-9)
    last = max(math.ceil(math.log(high, base) - 1e-9), first + 1)
    step = math.ceil((last - first) / 6)
    shown = range(first, last + 1, step)
    # All in one way: 10⁵ beside 10000 would be read twice.
    short = all(1e-3 <= float(base) ** i < 1e5 for i in shown)
    ticks = tuple((float(base) ** i, _power(base, i, short=short)) for i in shown)
    return Axis(title, float(base) ** first, float(base) ** last, ticks, log=True)


def named_axis(title: str, names: Sequence[str]) -> Axis:
    """Make an axis of names, the first at the top; name i lies at −i.

    Args:
        title: What they are; may be empty.
        names: In order.

    Returns:
        The axis.
    """
    ticks = tuple((-float(i), name) for i, name in enumerate(names))
    return Axis(title, 0.5 - len(names), 0.5, ticks, named=True)


def dot(
    value: float,
    y: float,
    *,
    ends: tuple[float, float],
    colour: int = 0,
    square: bool = False,
) -> Series:
    """Make a dot with its interval, on a line of a named axis.

    Args:
        value: Where it lies.
        y: The line.
        ends: The interval's ends; NaN where there is none.
        colour: Number of its colour.
        square: Whether it is a square and not a circle.

    Returns:
        The series.
    """
    low, high = ends
    spans = (((low, y), (high, y)),) if math.isfinite(low) else ()
    return Series("", ((value, y),), spans=spans, colour=colour, square=square)


def figure(
    panels: Sequence[Panel],
    *,
    title: str,
    columns: int = 2,
    legend: Sequence[Series] = (),
) -> str:
    """Draw panels beside and below each other.

    Args:
        panels: The plots, row by row.
        title: Above all, and what a screen reader says.
        columns: Panels in a row.
        legend: What marks stand for, under the title: a series with its name and one
            point, or dashed, or with neither for a bar.

    Returns:
        The SVG file's text.
    """
    rows = [len(panel.y.ticks) for panel in panels if panel.y.named]
    height = 17 * max(rows) if rows else _PLOT[1]
    left = 40 + _LETTER * max(len(text) for p in panels for _, text in p.y.ticks)
    right = 14 + _LETTER * max(len(s.name) for p in panels for s in p.series)
    wide = left + _PLOT[0] + right
    tall = _TOP + height + _BOTTOM + _GAP
    head = _HEAD + (_LEGEND if legend else 0)
    marks = _legend(legend)
    drawn = [
        {
            **_drawn(panel, (_PLOT[0], height)),
            "x0": left + (i % columns) * wide,
            "y0": head + _TOP + (i // columns) * tall,
        }
        for i, panel in enumerate(panels)
    ]
    page = environment().get_template("figure.svg.j2")
    return page.render(
        title=title,
        panels=drawn,
        legend=marks,
        legend_y=_HEAD + _LEGEND / 2,
        size=(
            max([wide * min(columns, len(panels)), *(mark["end"] for mark in marks)]),
            head + tall * -(-len(panels) // columns),
        ),
        plot=(_PLOT[0], height),
        left=left,
    )


def _legend(series: Sequence[Series]) -> list[dict[str, Any]]:
    """Place what marks stand for, from left to right."""
    marks: list[dict[str, Any]] = []
    for one in series:
        x = marks[-1]["end"] if marks else 12.0
        kind = "dashed" if one.dashed else "square" if one.square else "circle"
        marks.append(
            {
                "x": x,
                "name": one.name,
                "kind": kind if one.points else "bar",
                "colour": COLOURS[one.colour % len(COLOURS)],
                "end": x + 38 + _LETTER * len(one.name),
            }
        )
    return marks


def _drawn(panel: Panel, plot: tuple[float, float]) -> dict[str, Any]:
    """Turn values into places inside the plot."""

    def place(point: Point) -> Point:
        x, y = panel.x.share(point[0]), panel.y.share(point[1])
        return plot[0] * x, plot[1] * (1 - y)

    series: list[dict[str, Any]] = []
    for one in panel.series:
        points = [place(point) for point in one.points]
        series.append(
            {
                "name": one.name,
                "points": points,
                "spans": [(place(a), place(b)) for a, b in one.spans],
                "line": one.line and len(points) > 1,
                "dashed": one.dashed,
                "square": one.square,
                "colour": COLOURS[one.colour % len(COLOURS)],
            }
        )
    named = [line for line in series if line["name"] and line["points"]]
    labels = _spread([_label(line) for line in named], plot[1])
    for line, label in zip(named, labels, strict=True):
        line["label"] = label
    return {
        "title": panel.title,
        "x": panel.x.title,
        "y": panel.y.title,
        "x_ticks": [(plot[0] * panel.x.share(v), text) for v, text in panel.x.ticks],
        "y_ticks": [
            (plot[1] * (1 - panel.y.share(v)), text) for v, text in panel.y.ticks
        ],
        "series": series,
    }


def _label(line: Mapping[str, Any]) -> tuple[float, float, float]:
    """Say where a name would stand beside its last point, and how long it is."""
    x, y = line["points"][-1]
    return x + 7, y + 4, _LETTER * len(line["name"])


def _spread(labels: Sequence[tuple[float, float, float]], limit: float) -> list[Point]:
    """Move names apart that would lie on each other: down, and up at the lower edge."""
    order = sorted(range(len(labels)), key=lambda i: labels[i][1])
    found: list[Point] = [(x, y) for x, y, _ in labels]

    def meets(i: int, j: int) -> bool:
        (a, _, long_a), (b, _, long_b) = labels[i], labels[j]
        return a < b + long_b and b < a + long_a

    for k, i in enumerate(order):
        above = [found[j][1] + _LINE for j in order[:k] if meets(i, j)]
        found[i] = (found[i][0], max([found[i][1], *above]))
    for k, i in reversed(list(enumerate(order))):
        below = [found[j][1] - _LINE for j in order[k + 1 :] if meets(i, j)]
        found[i] = (found[i][0], min([found[i][1], limit + 4, *below]))
    return found


def _power(base: int, exponent: int, *, short: bool) -> str:
    """Write a power, as a number or as base and exponent."""
    if short:
        return f"{float(base) ** exponent:g}"
    return f"{base}" + str(exponent).translate(
        str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    )
