"""The text tasks: ten classes, told apart by their words or by their rule alone."""

import numpy as np
import pytest

from datainf.core.errors import OptionError
from datainf.evaluation.baselines import tfidf_scores
from datainf.evaluation.retrieval import class_detection
from datainf.experiments.data.study_rows import study_rows
from datainf.experiments.data.text_tasks import TEXT_TASKS, prompts_of, text_rows
from datainf.experiments.presets import Sample


def test_every_task_comes_in_both_wordings():
    assert set(TEXT_TASKS) == {
        f"{name}-{wording}"
        for name in ("sentences", "math", "math-reason")
        for wording in ("paper", "shared")
    }


@pytest.mark.parametrize("name", TEXT_TASKS)
def test_classes_are_of_equal_size_and_nothing_is_planted(name):
    train, held_out = text_rows(name, rows=70, held_out=30, seed=3)
    for part, size in ((train, 7), (held_out, 3)):
        classes = [row["class"] for row in part]
        assert len(set(classes)) == 10
        assert {classes.count(one) for one in classes} == {size}
    assert not any(row["planted"] for row in train)


@pytest.mark.parametrize("name", TEXT_TASKS)
def test_counting_words_of_prompts_finds_the_class_in_the_papers_wording_alone(name):
    train, held_out = text_rows(name, rows=200, held_out=50, seed=0)
    texts = ([row["prompt"] for row in part] for part in (train, held_out))
    classes = ([row["class"] for row in part] for part in (train, held_out))
    found = class_detection(tfidf_scores(*texts), *classes)
    if name.endswith("-paper"):
        assert found.auc > 0.9
    else:
        assert abs(found.auc - 0.5) < 0.05


def test_reasons_lead_to_the_number():
    (with_reason, _), (bare, _) = (
        text_rows(name, rows=10, held_out=10, seed=1)
        for name in ("math-reason-shared", "math-shared")
    )
    assert all("=" in row["completion"] for row in with_reason)
    assert all(row["completion"].lstrip("-").isdigit() for row in bare)


def test_prompts_alone_are_texts():
    assert prompts_of([{"prompt": "a", "completion": "b"}]) == [{"text": "a"}]


def test_a_study_takes_them_by_name():
    sample = Sample(rows=20, validation_rows=10)
    rows = study_rows("math-paper", sample, seed=2, noisy=False, data_dir=None)
    assert (len(rows.train), len(rows.validation)) == (20, 10)
    assert not np.any([row["wrong"] for row in rows.train])
    assert rows.task == {"name": "causal-lm"}


def test_texts_without_labels_are_no_data_set_of_labels():
    sample = Sample(rows=20, validation_rows=10)
    with pytest.raises(OptionError, match="'gsm8k' is unknown"):
        study_rows("gsm8k", sample, seed=2, noisy=True, data_dir=None)
