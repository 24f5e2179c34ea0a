"""Rows to test on: none that a score has seen, each with its right label."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from datainf.core.errors import DataError
from datainf.experiments.data.study_rows import SOURCES, study_rows
from datainf.experiments.data.unseen_rows import unseen_rows
from datainf.experiments.presets import Sample
from tests.experiments.places import tiny_data, tiny_glue

SAMPLE = Sample(rows=20, validation_rows=7, max_words=30, flipped=0.2)


@pytest.fixture
def data(tmp_path):
    return str(tiny_data(tmp_path / "data"))


def both(name, data, *, count=900, seed=3, sample=SAMPLE):
    used = study_rows(name, sample, seed=seed, noisy=True, data_dir=data)
    test = unseen_rows(name, sample, used, count=count, seed=seed, data_dir=data)
    return used, test


def texts(rows):
    return {row["sentence1"] for row in rows}


@pytest.mark.parametrize("name", ["sst2", "noisy_ag_news"])
def test_they_are_all_that_was_not_used(name, data):
    used, test = both(name, data)
    assert not texts(test) & (texts(used.train) | texts(used.validation))
    # 29 rows to train on, and 11 to explain.
    assert len(texts(test)) == len(test) == (29 - 20) + (11 - 7)


@pytest.mark.parametrize("name", ["sst2", "noisy_ag_news"])
def test_they_carry_right_labels(name, data):
    _, test = both(name, data)
    classes = SOURCES[name].classes
    assert [row["label"] for row in test] == [
        int(row["sentence1"].split()[-1]) % classes for row in test
    ]


def test_the_validation_file_comes_first(data):
    _, test = both("sst2", data, count=5)
    assert [row["sentence1"].split()[3] for row in test] == ["val"] * 4 + ["train"]


def test_a_test_file_is_the_last_resort_and_its_secret_labels_are_left_out(
    data, tmp_path
):
    sample = replace(SAMPLE, rows=900, validation_rows=900)
    with pytest.raises(DataError) as refused:
        both("sst2", data, sample=sample)
    assert str(refused.value) == (
        "no row of sst2 is left to test on: 29 are trained on and 11 explained; train "
        "on fewer (--train-rows), or give data with a test file."
    )
    lines = ["sentence1\tlabel", "one more\t1", "secret\t-1", "fine fine film val 0\t0"]
    (tmp_path / "data" / "sst2" / "test.tsv").write_text("\n".join(lines) + "\n")
    _, test = both("sst2", data, sample=sample)
    # The last of them was explained.
    assert texts(test) == {"one more"}


@pytest.mark.parametrize(("name", "count"), [("mrpc", 5), ("qqp", 0)])
def test_of_glue_the_test_rows_of_mrpc_alone_have_labels(name, count):
    sample = Sample(rows=4500, validation_rows=500)
    with patch("datasets.load_dataset", side_effect=tiny_glue):
        if count:
            assert len(both(name, None, sample=sample)[1]) == count
        else:
            with pytest.raises(DataError, match=r"^no row of qqp is left to test on"):
                both(name, None, sample=sample)


def test_longer_rows_are_left_out(data):
    used, _ = both("sst2", data)
    short = replace(SAMPLE, max_words=4)  # every row has five
    with pytest.raises(DataError, match=r"^no row of sst2 is left to test on"):
        unseen_rows("sst2", short, used, count=5, seed=0, data_dir=data)


def test_equal_seeds_draw_the_same_and_others_do_not(data):
    used, first = both("sst2", data, count=6)
    again, other = (
        unseen_rows("sst2", SAMPLE, used, count=6, seed=s, data_dir=data)
        for s in (3, 4)
    )
    assert first == again != other


def test_the_demo_is_asked_what_it_was_never_asked():
    used = study_rows("demo-lm", SAMPLE, seed=3, noisy=True, data_dir=None)
    test = unseen_rows("demo-lm", SAMPLE, used, count=40, seed=3, data_dir=None)
    asked = {row["prompt"] for row in (*used.train, *used.validation)}
    assert not asked & {row["prompt"] for row in test}
    assert 35 <= len(test) <= 40
    assert not any(row["planted"] for row in test)
