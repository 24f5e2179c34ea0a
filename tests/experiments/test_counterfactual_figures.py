"""The scoreboard's figure: a panel a design, every method named, the ceiling drawn."""

import re
from xml.etree import ElementTree

from datainf.experiments import counterfactual_figures as figures
from datainf.experiments.counterfactual_page import lds_cells


def test_every_design_and_method_is_drawn(judged):
    findings, _ = judged
    svg = figures.drawing(findings)
    ElementTree.fromstring(svg)
    texts = set(re.findall(r">([^<]+)<", svg))
    assert {"sst2 50% reshuffled", "sst2 50% kept", "dot", "cosine", "random"} <= texts
    assert svg.count("<circle") == 2 * 4


def test_a_design_without_a_ceiling_is_drawn_without_its_line(judged, monkeypatch):
    findings, _ = judged
    dashed = figures.drawing(findings).count("dasharray")
    cells = [(c, {**r, "ceiling": None}) for c, r in lds_cells(findings)]
    monkeypatch.setattr(figures, "lds_cells", lambda _: cells)
    assert figures.drawing(findings).count("dasharray") < dashed
