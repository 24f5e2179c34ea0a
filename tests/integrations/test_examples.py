"""Loading examples: files, folders, hub names, splits, limits."""

import re

import datasets
import pytest
from datasets import Dataset, DatasetDict

from datainf.core.errors import DataError
from datainf.core.run_config import DataConfig
from datainf.integrations.examples import load_examples


def refused(message):
    return pytest.raises(DataError, match=f"^{re.escape(message)}$")


def load(path, **options):
    return load_examples(DataConfig(data=str(path), **options))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train-0.tsv").write_text("text\tlabel\na\t1\nb\t0\n")
    (tmp_path / "train-1.tsv").write_text("text\tlabel\nc\t1\n")
    (tmp_path / "val.tsv").write_text("text\tlabel\nd\t0\n")
    (tmp_path / "README.md").write_text("not data")
    return tmp_path


def test_a_file_gives_its_rows_and_leaves_nothing_behind(folder):
    before = sorted(folder.iterdir())
    rows = load(folder / "train-0.tsv")
    assert list(rows) == [{"text": "a", "label": 1}, {"text": "b", "label": 0}]
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (100, 2), (None, 2)])
def test_a_limit_takes_the_first_rows(folder, limit, count):
    assert load(folder / "train-0.tsv", limit=limit)["text"][:] == ["a", "b"][:count]


def test_a_folder_of_files_has_splits(folder):
    assert load(folder, split="train")["text"][:] == ["a", "b", "c"]
    assert load(folder, split="val")["text"][:] == ["d"]
    with refused(f"{folder} has several splits; give split=: train, val."):
        load(folder)
    known = "expected one of: train, val; did you mean 'val'?."
    message = f"{folder} has no split 'vall': {known}"
    with refused(message):
        load(folder, split="vall")


def test_a_single_split_need_not_be_named(folder):
    (folder / "val.tsv").unlink()
    assert len(load(folder)) == 3


def test_files_of_a_split_must_have_the_same_columns(folder):
    (folder / "train-1.tsv").write_text("body\nc\n")
    files = f"{folder / 'train-0.tsv'}, {folder / 'train-1.tsv'}"
    with refused(f"{files} do not have the same columns."):
        load(folder, split="train")


def test_a_folder_without_data_is_refused(tmp_path):
    message = (
        f"{tmp_path} holds no data: expected files that end in .jsonl, .json, .csv, "
        ".tsv, .parquet, images, or a folder written by datasets' save_to_disk."
    )
    with refused(message):
        load(tmp_path)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_folders_of_save_to_disk_are_read(tmp_path):
    rows = Dataset.from_dict({"text": ["a", "b"]})
    rows.save_to_disk(str(tmp_path / "one"))
    DatasetDict({"train": rows, "test": rows.select([1])}).save_to_disk(
        str(tmp_path / "two")
    )
    assert load(tmp_path / "one")["text"][:] == ["a", "b"]
    assert load(tmp_path / "two", split="test")["text"][:] == ["b"]
    with refused(f"{tmp_path / 'two'} has several splits; give split=: train, test."):
        load(tmp_path / "two")
    message = (
        f"split='test' was given, but {tmp_path / 'one'} is one data set and has no "
        "splits; leave split out."
    )
    with refused(message):
        load(tmp_path / "one", split="test")


def test_a_missing_file_names_the_near_one(folder):
    path = folder / "trian-0.tsv"
    message = f"{path} does not exist; did you mean {folder / 'train-0.tsv'}?"
    with refused(message):
        load(path)
    path = folder / "elsewhere" / "xyz.csv"
    with refused(f"{path} does not exist."):
        load(path)


def test_a_file_has_no_splits(folder):
    path = folder / "val.tsv"
    message = (
        f"split='train' was given, but {path} is one file and has no splits; leave "
        "split out."
    )
    with refused(message):
        load(path, split="train")


def test_data_must_be_named():
    with refused("no data given: expected a file, a folder or a hub name."):
        load_examples(DataConfig())


def test_a_hub_name_goes_to_datasets(monkeypatch):
    asked = []

    def load_dataset(name, configuration):
        asked.append((name, configuration))
        return DatasetDict({"train": Dataset.from_dict({"text": ["a"]})})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert load("owner/name")["text"][:] == ["a"]
    assert load("owner/name:part", split="train")["text"][:] == ["a"]
    assert asked == [("owner/name", None), ("owner/name", "part")]


def test_an_empty_data_set_is_refused(monkeypatch):
    monkeypatch.setattr(
        datasets, "load_dataset", lambda *_: Dataset.from_dict({"text": []})
    )
    with refused("owner/name holds no rows; give at least one."):
        load("owner/name")


def test_a_hub_name_that_cannot_be_loaded_is_one_clear_error():
    with pytest.raises(
        DataError,
        match=r"^no-owner/no-name is no file or folder here, and as a hub name it "
        r"cannot be loaded: [^\n]+$",
    ):
        load("no-owner/no-name")


@pytest.mark.parametrize("name", ["sst2", "mrpc", "noisy_ag_news", "qqp"])
def test_real_files_are_read_whole(shared_data, name):
    path = shared_data / name / "train.tsv"
    rows = load(path)
    assert len(rows) == path.read_text(encoding="utf-8").count("\n") - 1
    assert all(isinstance(label, int) for label in rows["label"])
    assert all(rows["sentence1"])
