"""Source and target texts, and images, from a data file to a report, as typed."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datainf.cli.flag_table import FLAGS
from datainf.core.records import Scores
from datainf.integrations.tasks.table import TASKS
from tests.cli.command import refused, worked
from tests.cli.conftest import ANSWERS
from tests.reports.unpacked import page_data
from tests.tiny_models import (
    tiny_image_processor,
    tiny_t5,
    tiny_tokenizer,
    tiny_vit,
)
from tests.workflows.run_folders import put_rows
from tests.workflows.test_every_task import picture


@pytest.mark.parametrize("name", TASKS)
def test_the_help_of_task_names_every_task_of_the_table(name):
    assert name in FLAGS["task"].help


@pytest.mark.parametrize("name", TASKS)
def test_task_takes_every_name_of_the_table(name, tmp_path):
    """The name passes: what is missed is the base."""
    data = put_rows(tmp_path / "rows.jsonl", ANSWERS)
    said = refused(
        *("train", "--model", tmp_path, "--train", data, "--task", name),
        *("--out", tmp_path / "out"),
    )
    assert "is unknown" not in said
    assert str(tmp_path) in said


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A T5 that was trained by the command line; its data has names of its own."""
    folder = tmp_path_factory.mktemp("pairs")
    tiny_t5().save_pretrained(folder / "base")
    tiny_tokenizer().save_pretrained(folder / "base")
    rows = [{"document": r["prompt"], "summary": r["completion"]} for r in ANSWERS]
    data = put_rows(folder / "train.jsonl", rows)
    worked(
        *("train", "--model", folder / "base", "--train", data),
        *("--task", "seq2seq", "--column", "prompt=document"),
        *("--column", "completion=summary", "--task-option", "prefix='sum: '"),
        *("--rank", 2, "--epochs", 1, "--out", folder / "adapter"),
    )
    return folder, data


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A ViT that was trained by the command line, on images in a parquet file."""
    folder = tmp_path_factory.mktemp("images")
    tiny_vit(3).save_pretrained(folder / "base")
    tiny_image_processor().save_pretrained(folder / "base")
    rows = [
        {"image": {"bytes": picture(i), "path": f"{i}.png"}, "label": i % 3}
        for i in range(11)
    ]
    data = folder / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), data)
    worked(
        *("train", "--model", folder / "base", "--train", data, "--flip-labels", 0.2),
        *("--target", "query", "--target", "value", "--target", "q_proj"),
        *("--rank", 2, "--epochs", 1, "--out", folder / "adapter"),
    )
    return folder, data


@pytest.mark.parametrize(
    ("made", "told"), [("pairs", "say a →  no"), ("images", "0.png, 8 × 9 → 0")]
)
def test_attribute_reports_them_in_words(made, told, request, tmp_path):
    folder, data = request.getfixturevalue(made)
    worked(
        *("attribute", "--adapter", folder / "adapter", "--queries", data),
        *("--queries-limit", 2, "--out", tmp_path),
    )
    scores = Scores.load(tmp_path / "scores")
    assert scores.values.shape[0] == 2
    assert scores.queries["text"][0] == told
    shown = json.dumps(page_data(tmp_path / "report.html"), ensure_ascii=False)
    assert told.split(" → ")[0] in shown


@pytest.mark.parametrize("made", ["pairs", "images"])
def test_mislabeled_ranks_them(made, request, tmp_path):
    folder, data = request.getfixturevalue(made)
    ran = worked(
        *("mislabeled", "--adapter", folder / "adapter", "--validation", data),
        *("--format", "json", "--out", tmp_path),
    )
    found = pd.DataFrame(json.loads(ran.out)["ranking"])
    assert list(found["rank"]) == list(range(1, len(found) + 1))
    assert found["text"].str.contains(" → ").all()
