"""The scoreboard's figure: a panel a design, every method named, the ceiling drawn."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from datainf.experiments import counterfactual_figures as figures
from datainf.experiments.counterfactual_page import lds_cells


def test_every_design_and_method_is_drawn(judged):
    findings, _ = judged
    svg = figures.lds(findings)
    ElementTree.fromstring(svg)
    texts = set(re.findall(r">([^<]+)<", svg))
    assert {"sst2 50% reshuffled", "sst2 50% kept", "dot", "cosine", "random"} <= texts
    assert svg.count("<circle") == 2 * 4


def test_a_design_without_a_ceiling_is_drawn_without_its_line(judged, monkeypatch):
    findings, _ = judged
    dashed = figures.lds(findings).count("dasharray")
    cells = [(c, {**r, "ceiling": None}) for c, r in lds_cells(findings)]
    monkeypatch.setattr(figures, "lds_cells", lambda _: cells)
    assert figures.lds(findings).count("dasharray") < dashed


def test_single_examples_and_dropped_proponents_have_a_figure_where_there_are(judged):
    findings, _ = judged
    found = figures.figures(findings)
    assert list(found) == ["counterfactual", "counterfactual-few"]
    texts = set(re.findall(r">([^<]+)<", found["counterfactual-few"]))
    assert {"sst2, one example left out", "sst2, 4 dropped"} <= texts
    # Three methods left out one by one, and one that drops.
    assert found["counterfactual-few"].count("<circle") == 3 + 1
    designs = tuple(cell for cell in findings.cells if cell.kind == "lds")
    assert list(figures.figures(replace(findings, cells=designs))) == ["counterfactual"]
