"""The text tasks by name: ten classes each, and two wordings."""

import pytest

from datainf.evaluation.baselines import tfidf_scores
from datainf.evaluation.retrieval import class_detection
from datainf.experiments.data.math_problems import math_problems
from datainf.experiments.data.rows import Wording
from datainf.experiments.data.text_tasks import CLASSES, FAMILIES, TEXT_TASKS, text_rows


@pytest.mark.parametrize("name", TEXT_TASKS)
def test_every_task_has_ten_classes_of_equal_size(name):
    parts = text_rows(name, rows=37, held_out=5, seed=2)
    assert [len(part) for part in parts] == [30, 10]
    for part in parts:
        counts = [[r["class"] for r in part].count(c["class"]) for c in part]
        assert set(counts) == {len(part) // CLASSES}
        assert not any(row["planted"] for row in part)


def test_reason_is_what_tells_the_math_tasks_apart():
    for name, reason in (("math-paper", False), ("math-reason-paper", True)):
        train, _ = text_rows(name, rows=10, held_out=10, seed=4)
        assert train == math_problems(1, 1, 4, wording="paper", reason=reason)[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("wording", Wording)
def test_words_give_away_the_class_in_the_papers_wording_alone(family, wording):
    train, held_out = text_rows(f"{family}-{wording}", rows=300, held_out=100, seed=0)
    prompts = [[row["prompt"] for row in part] for part in (train, held_out)]
    classes = [[row["class"] for row in part] for part in (train, held_out)]
    auc = class_detection(tfidf_scores(*prompts), *classes).auc
    if wording is Wording.PAPER:
        assert auc > 0.85
    else:
        assert 0.45 < auc < 0.55
