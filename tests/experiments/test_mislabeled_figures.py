"""The figures of `mislabeled`: every method, by what it finds, costs and solves."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from datainf.experiments import mislabeled_figures as figures
from datainf.experiments.cells import Measured
from datainf.reports.figure import COLOURS


def test_both_figures_name_every_method(found_wrong):
    measured, _ = found_wrong
    for svg in (figures.by_dataset(measured), figures.by_cost(measured)):
        ElementTree.fromstring(svg)
        assert {">exact<", ">datainf<", ">loss<"} <= set(re.findall(r">[^<]+<", svg))


def test_auc_is_drawn_against_the_rank_where_there_are_several(found_wrong):
    measured, _ = found_wrong
    drawn = figures.by_dataset(measured)
    assert drawn.count(">sst2, by rank<") == 1
    one = Measured(
        replace(measured.study, further_ranks={}), measured.records, measured.units, {}
    )
    assert "by rank" not in figures.by_dataset(one)


def test_a_method_that_solves_no_system_has_no_residual(found_wrong):
    measured, _ = found_wrong
    cost = figures.by_cost(measured)
    methods = len(set(re.findall(r">([a-z-]+|TF-IDF)</text>", cost)) & KNOWN)
    solving = {"datainf", "exact", "cg", "lissa", "ekfac", "trak", "auto"}
    assert cost.count("<circle") == 2 * methods + len(solving)


def test_a_data_set_of_several_ranks_counts_once_in_the_mean_of_all(found_wrong):
    measured, _ = found_wrong
    study = replace(measured.study, further_ranks={})
    one = Measured(study, measured.records, measured.units, {})
    assert figures.by_cost(measured) == figures.by_cost(one)


KNOWN = {
    "dot", "scaled-dot", "cosine", "datainf", "exact", "cg", "lissa", "ekfac",
    "tracin", "trak", "less", "auto", "loss", "TF-IDF", "embedding", "random",
}  # fmt: skip


def test_every_line_by_rank_has_a_colour_of_its_own(found_wrong):
    measured, _ = found_wrong
    (panel,) = figures._by_rank(measured)
    colours = [series.colour % len(COLOURS) for series in panel.series]
    assert len(set(colours)) == len(colours) > 3
