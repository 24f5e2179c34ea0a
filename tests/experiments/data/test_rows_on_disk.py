"""Rows are written once; others are refused where results on them may lie."""

import json

import pytest
from PIL import Image

from datainf.core.errors import OptionError
from datainf.experiments.data.rows_on_disk import keep_rows
from datainf.integrations.examples import load_examples
from datainf.integrations.tasks.images import open_image

ROWS = [{"text": "a", "label": 0}, {"text": "ü", "label": 1}]


def test_rows_are_written_a_line_each_and_found_again(tmp_path):
    first = keep_rows(tmp_path / "new", {"train": ROWS, "held-out": ROWS[:1]})
    file = tmp_path / "new" / "train.jsonl"
    assert first["train"].data == str(file)
    assert [json.loads(line) for line in file.read_text().splitlines()] == ROWS
    written = file.stat().st_mtime_ns
    assert keep_rows(tmp_path / "new", {"train": ROWS, "held-out": ROWS[:1]}) == first
    assert file.stat().st_mtime_ns == written


@pytest.mark.parametrize("rows", [ROWS[:1], [*ROWS, ROWS[0]], ROWS[::-1], []])
def test_other_rows_are_refused_and_change_nothing(tmp_path, rows):
    keep_rows(tmp_path, {"train": ROWS})
    before = (tmp_path / "train.jsonl").read_bytes()
    with pytest.raises(OptionError, match="holds other rows than these"):
        keep_rows(tmp_path, {"train": rows})
    assert (tmp_path / "train.jsonl").read_bytes() == before


def pictured(*colours):
    return [
        {"image": Image.new("RGB", (3, 2), (c, 0, 0)), "text": f"{c}", "class": "x"}
        for c in colours
    ]


def test_rows_with_images_become_a_folder_of_images(tmp_path):
    first = keep_rows(tmp_path, {"train": pictured(7, 9)})
    assert first["train"].data == str(tmp_path / "train")
    rows = load_examples(first["train"])
    assert [(row["text"], row["class"]) for row in rows] == [("7", "x"), ("9", "x")]
    assert open_image(rows[1]["image"], "image").getpixel((0, 0)) == (9, 0, 0)
    assert keep_rows(tmp_path, {"train": pictured(7, 9)}) == first


@pytest.mark.parametrize("colours", [(7,), (7, 8), (9, 7), (7, 9, 9)])
def test_other_images_are_refused(tmp_path, colours):
    keep_rows(tmp_path, {"train": pictured(7, 9)})
    with pytest.raises(OptionError, match="holds other rows than these"):
        keep_rows(tmp_path, {"train": pictured(*colours)})
