"""Dots of Table 2: baselines have them where they have a number of their own."""

import re
from xml.etree import ElementTree

import pytest

from datainf.experiments.class_finding_figure import detection
from datainf.experiments.measuring import BASELINES
from datainf.experiments.text_generation_page import finding

METHODS = ("dot", "datainf", "trak", "less")


@pytest.mark.parametrize("sides", [("task", "prompt"), ("task",), ()])
def test_baselines_have_a_dot_where_they_have_a_number(found_classes, sides) -> None:
    measured, _ = found_classes
    svg = detection(finding(measured), ("one", "other"), baseline_sides=sides)
    ElementTree.fromstring(svg)
    expected = 2 * len(METHODS) + len(sides) * len(BASELINES)
    assert svg.count("<circle") + svg.count('class="mark"') == expected
    assert svg.count('class="mark"') == len(METHODS)
    assert ">the paper<" in svg


def test_the_two_gradients_of_a_method_stand_apart_and_a_lone_dot_in_the_middle(
    found_classes,
) -> None:
    measured, _ = found_classes

    def heights(sides: tuple[str, ...]) -> set[str]:
        svg = detection(finding(measured), ("one", "other"), baseline_sides=sides)
        circles = re.findall(r'<circle[^>]* cy="([\d.]+)"', svg)
        squares = re.findall(r'class="mark"[^>]* y="([\d.]+)"', svg)
        return {*circles, *(f"{float(y) + 3:.1f}" for y in squares)}

    two, one = heights(("task", "prompt")), heights(("task",))
    assert len(two) == 2 * (len(METHODS) + len(BASELINES))
    assert len(one) == 2 * len(METHODS) + len(BASELINES)
