"""The verdict: trust is said only where the scores earn it."""

import pandas as pd
import pytest

from datainf.workflows.evaluate_lds import lds_run
from datainf.workflows.retraining import Retrainer
from datainf.workflows.verdict import headlines
from tests.workflows.collecting import Told
from tests.workflows.fake_training import EFFECTS, known_outcome
from tests.workflows.judging import judged
from tests.workflows.run_folders import N, Q, review_folders
from tests.workflows.test_evaluate_lds import save_scores


def table(*rows, subsets=50, removed=0.5):
    """Rows of (scores, lds, lower end for all, behind the best at least)."""
    return pd.DataFrame(
        {
            "batch_order": "kept",
            "removed": removed,
            "subsets": subsets,
            "scores": name,
            "lds": value,
            "low": value - 0.1,
            "high": value + 0.1,
            "low_for_all": low,
            "behind_low": behind,
            "behind_high": behind + 0.1,
        }
        for name, value, low, behind in rows
    )


def test_the_best_is_named_with_those_not_clearly_worse():
    rows = table(
        ("exact", 0.5, 0.3, 0.0), ("datainf", 0.45, 0.25, -0.05), ("dot", 0.2, 0, 0.1)
    )
    assert headlines(rows) == [
        "Best here (50% removed, batches kept): exact (LDS 0.50, 95 % 0.40 to 0.60); "
        "not clearly worse: datainf."
    ]


def test_a_long_list_is_cut():
    rows = table(*((f"m{i}", 0.5 - i / 100, 0.3, -0.1) for i in range(6)))
    assert headlines(rows)[0].endswith("; not clearly worse: m1, m2, m3 and 2 more.")


def test_scores_not_above_zero_are_not_to_be_trusted():
    """The lower end counts that holds for all: the best was picked among many."""
    rows = table(("exact", 0.15, -0.01, 0.0), ("random", 0.0, -0.2, 0.1))
    assert headlines(rows) == [
        "Do not trust these scores (50% removed, batches kept): none is clearly above "
        "zero; the best is exact (LDS 0.15, 95 % 0.05 to 0.25)."
    ]


def test_too_few_subsets_give_no_verdict():
    rows = table(("exact", 0.9, 0.8, 0.0), subsets=19)
    assert headlines(rows) == [
        "No verdict (50% removed, batches kept): 19 subsets are too few, at least 20 "
        "are needed; the best so far is exact (LDS 0.90, 95 % 0.80 to 1.00)."
    ]


def test_a_baseline_that_does_better_is_said():
    rows = table(("tfidf", 0.6, 0.4, 0.0), ("exact", 0.5, 0.3, 0.05))
    assert headlines(rows)[0].endswith(
        "0.60); but tfidf, which looks at no gradient, does better."
    )


def test_the_steadiest_over_all_designs_has_the_best_worst_case():
    first = table(("exact", 0.5, 0.3, 0.0), ("dot", 0.4, 0.3, 0.0))
    second = table(("dot", 0.35, 0.3, 0.0), ("exact", 0.3, 0.2, 0.0), removed=0.05)
    assert headlines(pd.concat([first, second]))[-1] == (
        "Steadiest over all designs: dot, LDS at least 0.35."
    )


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(Retrainer, "run", lambda _, asked: known_outcome(asked, 0.2))
    reviews = review_folders(tmp_path)
    right = save_scores(tmp_path / "right", EFFECTS)
    config = judged(
        reviews, tmp_path / "out", scores=[right], methods=[], subsets=23, twins=11
    )
    lds_run(config, Told())
    return (tmp_path / "out" / "verdict.md").read_text()


def test_the_page_says_what_it_rests_on(page):
    lines = page.splitlines()
    assert lines[0] == "# Can these scores be trusted?"
    assert lines[2].startswith("**Best here (30% removed, batches reshuffled): ")
    assert "23 subsets, 5 queries." in lines
    assert any(
        line.startswith("Two seeds on the same 11 subsets agree") for line in lines
    )
    assert any(line.startswith(f"{N} training examples, {Q} queries") for line in lines)
    assert lines[lines.index("| --- | --- | --- | --- |") + 1].count("|") == 5
