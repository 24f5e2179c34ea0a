"""Histograms count every score once and never mix signs."""

import base64
import gzip

import numpy as np
import pytest

from datainf.reports.plots import bin_edges, distribution, library

CASES = {
    "both signs": np.array([-0.3, 0.7, -2.0, 0.0, 0.1]),
    "negative only": np.array([-3.0, -0.5, -0.001]),
    "positive only": np.array([1e-9, 3e-9]),
    "one value": np.array([0.4] * 7),
    "all zero": np.zeros(5),
    "tiny": np.array([-1e-300, 3e-301]),
    "huge": np.array([-1e300, 1e300, 7.0]),
    "far apart": np.array([-1e-12, 1e6]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_score_is_in_one_bin(name: str) -> None:
    chart = distribution(CASES[name], [])
    assert sum(chart["counts"]) == len(CASES[name])
    assert len(chart["edges"]) == len(chart["counts"]) + 1 <= 43


@pytest.mark.parametrize("name", CASES)
def test_zero_is_an_edge(name: str) -> None:
    edges = bin_edges(CASES[name])
    assert 0.0 in edges
    assert (np.diff(edges) > 0).all()


def test_random_scores_are_all_counted() -> None:
    rng = np.random.default_rng(0)
    for size in (7, 101):
        for spread in (1e-5, 1.0, 37.0):
            scores = rng.standard_normal(size) * spread + rng.standard_normal()
            assert sum(distribution(scores, [])["counts"]) == size


def test_marks_are_kept_as_they_come() -> None:
    chart = distribution(CASES["both signs"], [(-2.0, "7"), (0.7, "<b>")])
    assert chart["marks"] == [[-2.0, "7"], [0.7, "<b>"]]


def test_the_library_is_plotly_and_unpacks_to_itself() -> None:
    charts = library()
    unpacked = gzip.decompress(base64.b64decode(charts.packed)).decode("utf-8")
    assert unpacked == charts.code
    assert "plotly.js v" in charts.code[:200]
    assert library() is charts
