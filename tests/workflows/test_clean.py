"""`clean`: what is left, what is relabelled, what is written for review."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datainf.core.errors import OptionError
from datainf.core.run_config import DataConfig
from datainf.integrations.examples import load_examples
from datainf.workflows.clean import clean
from datainf.workflows.finished import open_finished
from datainf.workflows.progress import Logged
from tests.workflows.collecting import Told
from tests.workflows.run_folders import REVIEWS


def rows_of(path: Any) -> list[Any]:
    return list(load_examples(DataConfig(data=str(path))))


def refused(message: str) -> Any:
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


@pytest.fixture(scope="module")
def run(labels):
    return open_finished(labels.folder, Logged())


def used(run: Any) -> list[dict[str, Any]]:
    """The training rows as the run used them, with the file's own columns."""
    return [{k: row[k] for k in ("text", "label")} for row in run.dataset]


def test_dropping_leaves_all_other_rows_as_the_run_used_them(labels, run, tmp_path):
    before = Path(labels.folders.train).read_bytes()
    found = clean(labels.folder, tmp_path / "out.jsonl", count=4)
    gone = run.index[run.most_suspicious(4)].tolist()
    assert found.rows["index"].tolist() == gone
    assert found.rows["done"].tolist() == ["dropped"] * 4
    rows = used(run)
    assert rows_of(found.file) == [r for i, r in enumerate(rows) if i not in gone]
    assert Path(labels.folders.train).read_bytes() == before
    assert found.notes == (
        "2 labels were flipped for the run, and are written flipped",
    )
    assert found.bought is None


def test_what_was_done_is_written_beside(labels, tmp_path):
    found = clean(labels.folder, tmp_path / "out.jsonl", share=0.2)
    told = json.loads((tmp_path / "out.jsonl.clean.json").read_text(encoding="utf-8"))
    assert told["run"] == str(labels.folder)
    assert told["data"] == labels.folders.train
    assert told["options"] == {
        "action": "drop",
        "share": 0.2,
        "sure": 0.0,
        "retrain": False,
        "retrain_seeds": 1,
    }
    assert [row["index"] for row in told["rows"]] == found.rows["index"].tolist()
    assert told["bought"] is None


def test_relabelling_gives_the_models_label_where_it_is_sure(labels, run, tmp_path):
    every = len(run.index) - 1
    found = clean(
        labels.folder, tmp_path / "all.jsonl", count=every, action="relabel"
    ).rows
    changed = found[found["done"] == "relabelled"]
    assert 0 < len(changed) < every
    assert (changed["label"] != changed["model_label"]).all()
    assert set(found["done"]) == {"relabelled", "agrees"}
    expected = used(run)
    for index, label in zip(changed["index"], changed["model_label"], strict=True):
        expected[index]["label"] = label
    assert rows_of(tmp_path / "all.jsonl") == expected
    # A bound between the probabilities parts those that are changed.
    bound = float(changed["model_probability"].median())
    some = clean(
        labels.folder,
        tmp_path / "some.jsonl",
        count=every,
        action="relabel",
        sure=bound,
    ).rows
    moved = some["done"] == "relabelled"
    assert (some[moved]["model_probability"] >= bound).all()
    assert (some[some["done"] == "unsure"]["model_probability"] < bound).all()
    assert 0 < moved.sum() < len(changed)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_queue_says_why_and_changes_no_row(labels, tmp_path, suffix):
    file = tmp_path / f"queue{suffix}"
    found = clean(labels.folder, file, count=3, action="review")
    read = pd.read_csv(file) if suffix == ".csv" else pd.read_parquet(file)
    assert read["index"].tolist() == found.rows["index"].tolist()
    assert read["reason"].str.contains("by influence").all()


@pytest.mark.parametrize("tool", ["argilla", "label-studio"])
def test_a_queue_for_a_tool_holds_the_texts(labels, tmp_path, tool):
    found = clean(
        labels.folder, tmp_path / "queue.json", count=3, action="review", tool=tool
    )
    tasks = json.loads((tmp_path / "queue.json").read_text(encoding="utf-8"))
    inside = "fields" if tool == "argilla" else "data"
    assert [task[inside]["text"] for task in tasks] == [
        REVIEWS[i]["text"] for i in found.rows["index"]
    ]


def test_retraining_compares_with_and_without(labels, tmp_path):
    found = clean(
        labels.folder, tmp_path / "out.jsonl", count=2, retrain=True, test=labels.test
    )
    assert found.bought is not None
    assert found.bought.test_rows == 5
    assert set(found.bought.table["change"]) == {"after", "oracle"}
    told = json.loads((tmp_path / "out.jsonl.clean.json").read_text(encoding="utf-8"))
    assert told["bought"]["effects"] == found.bought.table.to_dict(orient="records")


def test_what_was_done_is_written_down_before_anything_is_trained(
    labels, tmp_path, monkeypatch
):
    def failing(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("datainf.workflows.clean.compare", failing)
    with pytest.raises(KeyboardInterrupt):
        clean(
            labels.folder, tmp_path / "o.jsonl", count=2, retrain=True, test=labels.test
        )
    told = json.loads((tmp_path / "o.jsonl.clean.json").read_text(encoding="utf-8"))
    assert (len(told["rows"]), told["bought"]) == (2, None)


def test_a_run_that_explains_answers_says_what_becomes_of_wrong_ones(
    labels, sums, tmp_path
):
    told = Told()
    clean(sums.folder, tmp_path / "a.jsonl", count=1, progress=told)
    (note,) = [text for text in told.of("say") if text.startswith("note: the rows ")]
    assert "where these answers are wrong, they are the right rows" in note
    told = Told()
    clean(labels.folder, tmp_path / "b.jsonl", count=1, progress=told)
    assert not [text for text in told.of("say") if text.startswith("note: the rows ")]


def test_a_language_models_rows_can_be_dropped(sums, tmp_path):
    found = clean(sums.folder, tmp_path / "out.jsonl", count=3)
    lines = Path(sums.folders.train).read_text(encoding="utf-8").splitlines()
    kept = [x for i, x in enumerate(lines) if i not in set(found.rows["index"])]
    assert found.file.read_text(encoding="utf-8").splitlines() == kept


# --- refused ------------------------------------------------------------------------


def test_the_original_is_never_written_over(labels):
    before = Path(labels.folders.train).read_bytes()
    with refused(
        f"{labels.folders.train} is the training data itself; the original is never "
        "touched: give --out another file."
    ):
        clean(labels.folder, labels.folders.train, count=1)
    assert Path(labels.folders.train).read_bytes() == before


def test_the_format_stays_that_of_the_data(labels, tmp_path):
    with refused(
        f"{tmp_path / 'out.csv'} must end in .jsonl, the format of what is left of "
        f"{labels.folders.train}."
    ):
        clean(labels.folder, tmp_path / "out.csv", count=1)
    with refused(
        f"{tmp_path / 'out.jsonl'} must end in .csv or .parquet, the format of a "
        "review queue."
    ):
        clean(labels.folder, tmp_path / "out.jsonl", count=1, action="review")


def test_a_language_model_gives_no_label(sums, tmp_path):
    with refused(
        "relabel needs one class a row, and causal-lm has none; drop the rows, or "
        "review them."
    ):
        clean(sums.folder, tmp_path / "out.jsonl", count=1, action="relabel")


def test_an_unknown_option_names_the_near_one(tmp_path):
    with pytest.raises(OptionError, match="did you mean 'share'"):
        clean(tmp_path, tmp_path / "x", shares=0.1)
