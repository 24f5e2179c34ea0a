"""The figure of `filtered`: a line for all that chose rows, of each data set."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from datainf.experiments import filtered_figures as figures
from datainf.reports.figure import COLOURS
from tests.experiments.test_filtered_page import made


def test_it_names_all_that_chose_rows_in_three_colours(kept):
    found, _ = kept
    svg = figures.drawing(found)
    ElementTree.fromstring(svg)
    names = {">datainf<", ">loss<", ">random<", ">oracle<", ">all rows<"}
    assert names <= set(re.findall(r">[^<]+<", svg))
    assert svg.count("<circle") == 2 + 2 + 3
    for colour, count in zip(COLOURS[:3], (2, 2, 3), strict=True):
        assert svg.count(f'fill="{colour}"') == count


def test_without_classes_the_loss_is_drawn_and_what_is_not_measured_is_not(tmp_path):
    found = made(
        tmp_path, {"datainf": None, "loss": None}, datasets=("sst2", "noisy_ag_news")
    )
    assert figures.drawing(found).count("test loss (orange") == 2
    found = made(tmp_path / "other", {"datainf": 0.5}, datasets=("sst2",))
    study = replace(found.measured.study, datasets=("sst2", "mrpc"))
    svg = figures.drawing(replace(found, measured=replace(found.measured, study=study)))
    assert "test accuracy (orange" in svg
    assert "mrpc" not in svg
