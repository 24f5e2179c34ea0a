"""Rows are written once; others are refused where results on them may lie."""

import json

import pytest

from datainf.core.errors import OptionError
from datainf.experiments.data.rows_on_disk import keep_rows

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
