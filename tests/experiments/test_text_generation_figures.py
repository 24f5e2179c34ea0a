"""The figure of `text-generation`: a dot for each method and gradient."""

import re
from xml.etree import ElementTree

from datainf.experiments import text_generation_figures as figures
from datainf.experiments.measuring import BASELINES


def test_every_method_has_two_dots_and_normalised_ones_none(found_classes):
    measured, _ = found_classes
    svg = figures.drawing(measured)
    ElementTree.fromstring(svg)
    assert {">datainf<", ">loss<"} <= set(re.findall(r">[^<]+<", svg))
    assert "relatif" not in svg
    shown = {"dot", "datainf", "trak", "less", *BASELINES}
    assert svg.count("<circle") + svg.count('class="mark"') == 2 * len(shown)
