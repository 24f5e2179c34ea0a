"""Rows of a seed: drawn, short enough, with flags that tell what is wrong."""

from unittest.mock import patch

import pytest

from datainf.core.errors import DataError, OptionError
from datainf.core.run_config import DataConfig
from datainf.experiments.data.study_rows import study_rows, text_of
from datainf.experiments.data.text_tasks import text_rows
from datainf.experiments.presets import PRESETS, Sample
from datainf.integrations.examples import load_examples
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.table import task_from_settings
from tests.experiments.places import GLUE, tiny_data, tiny_glue
from tests.tiny_models import tiny_tokenizer

SAMPLE = Sample(rows=20, validation_rows=7, max_words=30, flipped=0.2)


@pytest.fixture
def data(tmp_path):
    return str(tiny_data(tmp_path / "data"))


def drawn(name, data, *, seed=0, noisy=True, sample=SAMPLE):
    return study_rows(name, sample, seed=seed, noisy=noisy, data_dir=data)


def right_label(text: str) -> int:
    return int(text.split()[-1]) % 2


def test_exactly_the_share_is_flipped_and_flagged(data):
    rows = drawn("sst2", data)
    assert (len(rows.train), len(rows.validation)) == (20, 7)
    assert sum(row["wrong"] for row in rows.train) == 4
    for row in rows.train:
        assert (row["label"] != right_label(row["sentence1"])) == row["wrong"]
    assert all(r["label"] == right_label(r["sentence1"]) for r in rows.validation)
    assert set(rows.train[0]) == {"sentence1", "label", "wrong"}


def test_clean_rows_are_the_same_rows_with_right_labels(data):
    noisy, clean = drawn("sst2", data), drawn("sst2", data, noisy=False)
    assert [r["sentence1"] for r in clean.train] == [
        r["sentence1"] for r in noisy.train
    ]
    assert not any(row["wrong"] for row in clean.train)


def test_a_text_task_is_generated_and_has_no_noise():
    rows = drawn("math-shared", None, noisy=False)
    expected = text_rows("math-shared", rows=20, held_out=7, seed=0)
    assert rows.train == [{**row, "wrong": False} for row in expected[0]]
    assert [row["class"] for row in rows.validation] == [
        r["class"] for r in expected[1]
    ]
    assert rows.task == {"name": "causal-lm"}
    with pytest.raises(OptionError, match=r"^data set 'math-shared' is unknown: "):
        drawn("math-shared", None)


def test_seeds_draw_other_rows_and_equal_seeds_the_same(data):
    assert drawn("sst2", data, seed=1) == drawn("sst2", data, seed=1)
    assert drawn("sst2", data, seed=1).train != drawn("sst2", data, seed=2).train


def test_real_noise_is_told_by_the_right_labels(data):
    noisy, clean = (drawn("noisy_ag_news", data, noisy=n) for n in (True, False))
    assert sum(row["wrong"] for row in noisy.train) > 0
    assert all(row["wrong"] == (row["label"] != row["gt"]) for row in noisy.train)
    assert all(row["label"] == row["gt"] for row in clean.train)
    assert noisy.task["num_labels"] == 4


def test_longer_rows_are_left_out_and_all_others_taken(data):
    sample = Sample(rows=900, validation_rows=900, max_words=4)
    with pytest.raises(DataError) as refused:  # every row has five words
        drawn("sst2", data, sample=sample)
    assert str(refused.value) == ("no row of 29 has at most 4 words; give other data.")
    sample = Sample(rows=900, validation_rows=900, max_words=5)
    rows = drawn("sst2", data, sample=sample)
    assert (len(rows.train), len(rows.validation)) == (29, 11)


def test_the_demo_plants_wrong_answers_in_the_training_rows_alone():
    rows = study_rows("demo-lm", SAMPLE, seed=3, noisy=True, data_dir=None)
    assert sum(row["wrong"] for row in rows.train) == round(0.1 * len(rows.train))
    assert rows.task == {"name": "causal-lm"}
    clean = study_rows("demo-lm", SAMPLE, seed=3, noisy=False, data_dir=None)
    assert not any(row["wrong"] for row in clean.train)


def test_the_text_of_a_row_does_not_tell_its_class():
    row = {"prompt": "a", "completion": "b", "class": "c", "label": 1, "wrong": True}
    assert text_of(row) == "a b"


@pytest.mark.parametrize("name", PRESETS["paper"].datasets)
def test_the_paper_preset_reads_glue_as_the_hub_has_it(name):
    study = PRESETS["paper"]
    with patch("datasets.load_dataset", side_effect=tiny_glue) as hub:
        rows = study_rows(name, study.sample, seed=0, noisy=True, data_dir=None)
    assert {call.args for call in hub.call_args_list} == {("nyu-mll/glue", name)}
    assert (len(rows.train), len(rows.validation)) == (29, 11)
    assert sum(row["wrong"] for row in rows.train) == round(0.2 * 29)
    task = task_from_settings(rows.task, tiny_tokenizer())
    assert isinstance(task, SequenceClassification)
    assert task.for_columns(list(rows.train[0])).text_columns == GLUE[name]
    batch = task.collate(rows.train[:3])
    assert batch["labels"].tolist() == [row["label"] for row in rows.train[:3]]


def test_the_hub_is_asked_by_its_name_and_split(data):
    asked = []

    def hub(config: DataConfig):
        asked.append((config.data, config.split))
        return load_examples(DataConfig(data=f"{data}/sst2", split="train"))

    with patch("datainf.experiments.data.study_rows.load_examples", hub):
        study_rows("sst2", SAMPLE, seed=0, noisy=True, data_dir=None)
    assert asked == [
        ("nyu-mll/glue:sst2", "train"),
        ("nyu-mll/glue:sst2", "validation"),
    ]


@pytest.mark.parametrize(
    ("name", "place", "kind", "message"),
    [
        ("sst", None, OptionError, "data set 'sst' is unknown: expected one of: "),
        ("noisy_ag_news", None, OptionError, "data set 'noisy_ag_news' is on no hub; "),
        ("mrpc", "DATA", DataError, "DATA/mrpc is no folder; --data-dir must hold "),
    ],
)
def test_what_is_not_there_is_refused(name, place, kind, message):
    with pytest.raises(kind) as refused:
        study_rows(name, SAMPLE, seed=0, noisy=True, data_dir=place)
    assert str(refused.value).startswith(message)
