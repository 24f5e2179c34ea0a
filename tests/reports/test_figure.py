"""Figures: well-formed, values where the axes say, labels apart, text escaped."""

import math
import re
from xml.etree import ElementTree

import pytest

from datainf.reports.figure import (
    Axis,
    Panel,
    Series,
    dot,
    figure,
    linear_axis,
    log_axis,
    named_axis,
)

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*series: Series, x: Axis | None = None, y: Axis | None = None):
    panel = Panel(
        "some <panel>",
        x or linear_axis("steps", [0, 10]),
        y or linear_axis("loss, nats", [0, 10]),
        series,
    )
    return ElementTree.fromstring(figure([panel], title="A & B"))


def circles(root) -> list[tuple[float, float]]:
    return [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{SVG}circle")]


def texts(root) -> list[str]:
    return [text.text for text in root.iter(f"{SVG}text")]


def test_points_lie_where_the_axes_say():
    root = drawn(Series("a", ((0, 0), (5, 10), (10, 2.5))))
    (frame,) = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "frame"]
    width, height = float(frame.get("width")), float(frame.get("height"))
    assert circles(root) == [
        (0, height),
        (width / 2, 0),
        (width, pytest.approx(0.75 * height)),
    ]


def test_log_axes_make_factors_steps():
    axis = log_axis("d", [1, 10_000])
    assert [text for _, text in axis.ticks] == ["1", "10", "100", "1000", "10000"]
    assert axis.share(100) == pytest.approx(0.5)
    assert log_axis("e", [1e-7, 1e-4]).ticks[0][1] == "10⁻⁷"
    far = log_axis("n", [1, 1e6])  # one way of writing an axis, not two
    assert [text for _, text in far.ticks][1::5] == ["10¹", "10⁶"]


@pytest.mark.parametrize("values", [[0.3, 0.9], [5.0, 5.0], [-2e-5, 7e-5], [0.0, 0.0]])
def test_a_linear_axis_holds_its_values_between_round_ends(values):
    axis = linear_axis("x", values)
    assert axis.low <= min(values)
    assert max(values) <= axis.high
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 8


def test_names_stand_from_top_to_bottom():
    axis = named_axis("", ["first", "second", "third"])
    assert [axis.share(-float(i)) for i in range(3)] == pytest.approx(
        [5 / 6, 0.5, 1 / 6]
    )


def test_every_text_is_there_and_escaped():
    root = drawn(Series("<b>", ((1, 1),)))
    assert {"A & B", "some <panel>", "steps", "loss, nats", "<b>"} <= set(texts(root))
    assert root.get("aria-label") == "A & B"


def test_labels_that_would_lie_on_each_other_are_moved_apart():
    series = [Series(f"s{i}", ((0, 0), (10, 9.9 + i / 100))) for i in range(5)]
    root = drawn(*series)
    heights = [
        float(t.get("y"))
        for t in root.iter(f"{SVG}text")
        if t.text in {f"s{i}" for i in range(5)}
    ]
    gaps = [b - a for a, b in zip(sorted(heights), sorted(heights)[1:], strict=False)]
    assert min(gaps) >= 12.9
    assert heights == sorted(heights, reverse=True)


def test_labels_at_the_lower_edge_stay_inside():
    root = drawn(*(Series(f"s{i}", ((0, 1), (10, 0))) for i in range(3)))
    heights = [
        float(t.get("y"))
        for t in root.iter(f"{SVG}text")
        if re.fullmatch(r"s\d", t.text)
    ]
    assert max(heights) <= 230 + 4
    assert len(set(heights)) == 3


def test_a_dashed_series_has_no_dots_and_spans_are_lines():
    root = drawn(
        Series("bound", ((0, 0), (10, 10)), dashed=True),
        Series("", ((5, 5),), spans=(((4, 5), (6, 5)),), line=False),
    )
    assert len(circles(root)) == 1
    (dashed,) = root.iter(f"{SVG}polyline")
    assert dashed.get("stroke-dasharray")
    spans = [line for line in root.iter(f"{SVG}line") if line.get("class") is None]
    assert [(float(s.get("x1")), float(s.get("x2"))) for s in spans] == [(120, 180)]


def test_a_dot_has_an_interval_where_one_is_known():
    made = dot(0.5, -3.0, ends=(0.4, 0.7), colour=2)
    assert (made.points, made.colour) == (((0.5, -3.0),), 2)
    assert made.spans == (((0.4, -3.0), (0.7, -3.0)),)
    assert dot(0.5, 0.0, ends=(math.nan, math.nan)).spans == ()


def test_panels_stand_in_rows():
    panel = Panel(
        "p",
        linear_axis("x", [0, 1]),
        linear_axis("y", [0, 1]),
        (Series("", ((0, 0),)),),
    )
    one, three = (
        ElementTree.fromstring(figure([panel] * n, title="t")) for n in (1, 3)
    )
    assert float(three.get("width", 0)) == pytest.approx(
        2 * float(one.get("width", 0)), abs=1
    )
    places = [g.get("transform") for g in three.iter(f"{SVG}g") if g.get("transform")]
    assert len(set(places)) == 3


def test_labels_side_by_side_are_left_where_they_are():
    root = drawn(
        *(Series(f"s{i}", ((x, 5.0),), line=False) for i, x in enumerate((0, 5)))
    )
    heights = [t.get("y") for t in root.iter(f"{SVG}text") if t.text in ("s0", "s1")]
    assert len(set(heights)) == 1


def test_a_legend_says_what_marks_stand_for_and_moves_the_panels_down():
    panel = Panel(
        "p",
        linear_axis("x", [0, 1]),
        linear_axis("y", [0, 1]),
        (dot(0.5, 0.5, ends=(0.4, 0.6), square=True), Series("", ((0, 0),))),
    )
    marks = [
        Series("round", ((0, 0),)),
        Series("a mark with a very long name, longer than any panel", ((0, 0),)),
        Series("square & green", ((0, 0),), colour=2, square=True),
        Series("bar", ()),
        Series("line", ((0, 0),), dashed=True),
    ]
    bare, told = (
        ElementTree.fromstring(figure([panel], title="t", legend=legend))
        for legend in ([], marks)
    )
    texts = {t.text: t for t in told.iter(f"{SVG}text")}
    assert {mark.name for mark in marks} <= set(texts)
    kinds = [
        next(iter(g)).tag.removeprefix(SVG) for g in told if len(g) == 2 and g[1].text
    ]
    assert kinds == ["ellipse", "ellipse", "rect", "line", "line"]
    taller, wider = (
        float(told.get(x, 0)) - float(bare.get(x, 0)) for x in ("height", "width")
    )
    assert taller == 18
    assert wider > 0
    for one in (bare, told):
        assert len(circles(one)) == 1
        assert len([r for r in one.iter(f"{SVG}rect") if r.get("class") == "mark"]) == 1
