"""Rows that are judged: the first of their file that are short enough."""

import json

import pytest

from datainf.core.errors import DataError
from datainf.experiments.data.judged_rows import (
    CHARACTERS,
    short_texts,
    sums,
    transformations,
)
from tests.experiments.places import tiny_data


def test_the_first_rows_with_few_words_are_taken_in_order(tmp_path):
    data = str(tiny_data(tmp_path))
    found = short_texts("sst2", 5)(data, 7, 3)
    assert [row["sentence1"].split()[-1] for row in found.train] == list("0123456")
    assert [row["sentence1"].split()[-2] for row in found.queries] == ["val"] * 3
    assert found.task["name"] == "sequence-classification"


def test_too_few_short_rows_are_refused(tmp_path):
    data = str(tiny_data(tmp_path))
    with pytest.raises(DataError) as refused:
        short_texts("sst2", 4)(data, 7, 3)
    assert str(refused.value) == (
        "sst2 has 0 rows that are short enough, 7 are needed; give other data."
    )


def test_a_sum_is_its_question_and_the_last_step(tmp_path):
    (tmp_path / "gsm8k").mkdir()
    short = {
        "question": "Ann has 3 figs. Wow! How many has she?",
        "answer": "First 1+1=2.\nThen 2+1=3.\n#### 3",
    }
    bare = {"question": "How much is it?", "answer": "#### 4"}
    long = {"question": "x" * CHARACTERS, "answer": "1\n#### 1"}
    for split in ("train", "test"):
        lines = "\n".join(json.dumps(row) for row in (long, short, bare))
        (tmp_path / "gsm8k" / f"{split}.jsonl").write_text(lines)
    found = sums(str(tmp_path), 2, 1)
    assert found.train == [
        {"prompt": "How many has she?\n", "completion": "Then 2+1=3."},
        {"prompt": "How much is it?\n", "completion": "#### 4"},
    ]
    assert found.queries == found.train[:1]
    assert found.task == {"name": "causal-lm"}


def test_transformations_have_classes_of_equal_size():
    found = transformations(None, 30, 20)
    assert (len(found.train), len(found.queries)) == (30, 20)
    names = [row["prompt"].split(":")[0] for row in found.train]
    assert {names.count(name) for name in names} == {3}
    assert set(found.train[0]) == {"prompt", "completion"}
