"""The scoreboard's page: every number from the records, every comparison by query."""

from dataclasses import replace

import numpy as np
import pytest

from datainf.experiments import counterfactual_page as pages
from datainf.experiments.counterfactual import Findings
from datainf.experiments.tables import DASH, share


def test_the_first_table_holds_the_lds_of_every_design(judged):
    findings, _ = judged
    text = pages.page(findings, "the command")
    head, *lines = text.split("![LDS")[1].split("\n\n")[1].splitlines()
    assert head == (
        "| scores | sst2 50% reshuffled | sst2 50% kept | least "
        "| most behind the best |"
    )
    found = {line.split(" | ")[0].strip("| "): line for line in lines[1:]}
    results = [result for _, result in pages.lds_cells(findings)]
    dot = [result["scores"]["dot:normalize=none"]["lds"] for result in results]
    best = [max(v["lds"] for v in r["scores"].values()) for r in results]
    behind = max(b - d for b, d in zip(best, dot, strict=True))
    parts = [part.strip("| *") for part in found["dot"].split(" | ")]
    assert parts[1:] == [share(value) for value in (*dot, min(dot), behind)]
    assert set(found) == {
        *("dot", "cosine", "random", "less", "best of all options", "ceiling")
    }


def test_the_page_says_all_kinds_and_its_command(judged):
    findings, out = judged
    text = pages.page(findings, "datainf reproduce counterfactual --model MODEL")
    for part in (
        "## One example left out",
        "## The strongest proponents dropped",
        "## Beside an earlier measurement",
        "### sst2",
        "two seeds agree at",
        "```\ndatainf reproduce counterfactual --model MODEL\n```",
    ):
        assert part in text
    assert str(out) not in text


def test_a_page_of_nothing_yet_is_no_error(judged):
    findings, _ = judged
    none = Findings(findings.study, findings.records, ())
    assert "## Every option" in pages.page(none, "the command")
    assert pages.summary(none).empty


def test_what_is_not_measured_yet_is_said(judged):
    findings, _ = judged
    text = pages.page(findings, "the command")
    assert "Not measured yet" not in text
    first, *_ = findings.cells
    more = replace(first, sets=7)
    some = Findings(findings.study, findings.records, (first, more))
    assert (
        "Not measured yet, the same command goes on: lds sst2 50% reshuffled."
        in pages.page(some, "the command")
    )
    along = replace(more, along=True)
    some = Findings(findings.study, findings.records, (first, along))
    text = pages.page(some, "the command")
    assert "50% reshuffled of methods along the training." in text


def test_what_was_judged_in_some_designs_alone_has_a_dash_in_the_others(judged):
    findings, _ = judged
    cells = [c for c in findings.cells if not (c.along and str(c.order) == "kept")]
    some = Findings(findings.study, findings.records, tuple(cells))
    text = pages.page(some, "the command")
    line, *_ = [x for x in text.splitlines() if x.startswith("| less |")]
    assert [part.strip() for part in line.split("|")[3:6]] == [DASH] * 3
    (line,) = [x for x in text.splitlines() if x.startswith("| `less` |")]
    assert line.endswith(f"| {DASH} |")


def test_the_summary_ranks_within_designs(judged):
    findings, _ = judged
    found = pages.summary(findings)
    assert len(found) == 2 * 4
    for _, part in found.groupby("batch_order"):
        assert part["lds"].is_monotonic_decreasing


def test_pairs_are_compared_query_by_query():
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.5, 0.1, 53), rng.normal(0.2, 0.1, 53)
    scores = {
        "a": {"per_query": [*first, None]},
        "b": {"per_query": [*second, 0.1]},
        "c": {"per_query": [None] * 54},
    }
    compared = pages.paired(scores, "a", "b")
    assert compared is not None
    mean, low, high = compared
    assert mean == pytest.approx(float((first - second).mean()))
    assert 0 < low < mean < high
    assert pages.paired(scores, "a", "c") is None
    swapped = pages.paired(scores, "b", "a")
    assert swapped is not None
    assert swapped[0] == -mean


def test_gaps_are_counted_by_their_intervals(judged, monkeypatch):
    findings, _ = judged
    pair = ("cosine", "dot:normalize=none")
    monkeypatch.setattr(pages, "PAIRS", (pair,))
    gaps = iter([(0.2, 0.1, 0.3), (-0.2, -0.3, -0.1)])
    monkeypatch.setattr(pages, "paired", lambda *_: next(gaps))
    text = pages.page(findings, "the command")
    assert (
        "`cosine` less `dot:normalize=none`: better in 1, worse in 1 of 2 designs "
        "(sst2 50% reshuffled +.200 (+.100 to +.300); "
        "sst2 50% kept −.200 (−.300 to −.100))."
    ) in text
