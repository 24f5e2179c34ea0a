"""Rows of a data file written anew: what is kept, is kept to the letter."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Value, load_dataset

from datainf.core.errors import DataError, OptionError
from datainf.core.run_config import DataConfig
from datainf.integrations.examples import load_examples
from datainf.integrations.rewriting import (
    Edit,
    require_other_file,
    rewritten,
    suffix_for,
)

JSONL = (
    '{"text": "a",  "label": 1, "x": {"y": 1.50}}\n\n'
    '{"label": 0, "text": "é"}\n{"text": "\\u00e9", "label": 1}\n'
)
CSV = 'text,label,code\r\n"a, ""b""",1,007\r\nc,0,01\r\n"line\r\nbreak",1,2\r\n'
TSV = 'text\tlabel\tcode\na "b\t1\t007\nc\t0\t01\nd\t1\t2\n'
TEXTS = {".jsonl": JSONL, ".csv": CSV, ".tsv": TSV}


def put(folder: Path, suffix: str, text: str) -> DataConfig:
    path = folder / f"rows{suffix}"
    path.write_bytes(text.encode())
    return DataConfig(data=str(path))


def text_of(data: DataConfig, edit: Edit) -> str:
    return rewritten(data, edit).decode()


@pytest.mark.parametrize("suffix", TEXTS)
def test_all_rows_unchanged_are_the_file_but_for_empty_lines(tmp_path, suffix):
    data = put(tmp_path, suffix, TEXTS[suffix])
    assert text_of(data, Edit([0, 1, 2])) == TEXTS[suffix].replace("\n\n", "\n")


@pytest.mark.parametrize("suffix", TEXTS)
def test_a_dropped_row_leaves_the_writing_of_the_others(tmp_path, suffix):
    data = put(tmp_path, suffix, TEXTS[suffix])
    expected = {
        ".jsonl": JSONL.replace("\n\n", "\n").replace(
            '{"label": 0, "text": "é"}\n', ""
        ),
        ".csv": CSV.replace("c,0,01\r\n", ""),
        ".tsv": TSV.replace("c\t0\t01\n", ""),
    }
    assert text_of(data, Edit([0, 2])) == expected[suffix]


@pytest.mark.parametrize("suffix", [*TEXTS, ".json", ".parquet"])
def test_what_is_read_back_is_what_was_asked_for(tmp_path, suffix):
    rows = [{"text": f"t{i}", "label": i % 2, "n": i} for i in range(5)]
    if suffix == ".parquet":
        data = DataConfig(data=str(tmp_path / "rows.parquet"))
        pq.write_table(pa.Table.from_pylist(rows), data.data)
    elif suffix in (".json", ".jsonl"):
        lines = "\n".join(json.dumps(row) for row in rows)
        data = put(tmp_path, suffix, json.dumps(rows) if suffix == ".json" else lines)
    else:
        mark = "," if suffix == ".csv" else "\t"
        lines = "\n".join(mark.join(str(v) for v in row.values()) for row in rows)
        data = put(tmp_path, suffix, f"{mark.join(rows[0])}\n{lines}\n")
    before = Path(data.data).read_bytes()
    edit = Edit([4, 0, 3], {"label": {0: 7, 1: 9}}, {"score": [1, 2, 3]})
    out = tmp_path / f"out{suffix}"
    out.write_bytes(rewritten(data, edit))
    expected = [
        {**rows[i], "label": 7 if i == 0 else i % 2, "score": s}
        for i, s in ((4, 1), (0, 2), (3, 3))
    ]
    assert list(load_examples(DataConfig(data=str(out)))) == expected
    assert Path(data.data).read_bytes() == before


def test_parquet_keeps_types_and_what_datasets_knows(tmp_path):
    features = Features(
        {"text": Value("string"), "label": ClassLabel(names=["a", "b"])}
    )
    rows = Dataset.from_dict(
        {"text": ["x", "y", "z"], "label": [0, 1, 0]}, features=features
    )
    rows.to_parquet(tmp_path / "in.parquet")
    data = DataConfig(data=str(tmp_path / "in.parquet"))
    edit = Edit([2, 1], {"label": {1: 0}}, {"datainf_score": [0.5, 1.5]})
    (tmp_path / "out.parquet").write_bytes(rewritten(data, edit))
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("label").type == pa.int64()
    assert table["label"].to_pylist() == [0, 0]
    found = load_dataset(
        "parquet",
        data_files=str(tmp_path / "out.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert found.features["label"].names == ["a", "b"]
    assert found["datainf_score"][:] == [0.5, 1.5]


def test_a_folder_of_datasets_is_written_as_parquet(tmp_path):
    Dataset.from_dict({"text": ["x", "y", "z"]}).save_to_disk(tmp_path / "folder")
    data = DataConfig(data=str(tmp_path / "folder"), limit=1)
    assert suffix_for(data) == ".parquet"
    (tmp_path / "out.parquet").write_bytes(rewritten(data, Edit([2, 0])))
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == ["z", "x"]


@pytest.mark.parametrize("suffix", TEXTS)
def test_no_column_is_written_over(tmp_path, suffix):
    data = put(tmp_path, suffix, TEXTS[suffix])
    message = (
        "the data have a column 'text' already; rename it, so that it is not written "
        "over."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        rewritten(data, Edit([0], added={"text": ["new"]}))


def test_a_label_that_a_tsv_cannot_hold_is_refused(tmp_path):
    data = put(tmp_path, ".tsv", TSV)
    message = (
        "'two\\twords' cannot stand in a tsv file, which has no writing for TABs and "
        "line breaks; convert the data to jsonl."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        rewritten(data, Edit([0], {"label": {0: "two\twords"}}))


# --- the original -------------------------------------------------------------------


def refused(path: Path, what: str) -> Any:
    message = (
        f"{path} is the {what} itself; the original is never touched: give --out "
        "another file."
    )
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


def test_an_input_is_never_written_over_under_any_of_its_names(tmp_path):
    data = put(tmp_path, ".tsv", TSV)
    source = Path(data.data)
    (tmp_path / "link.tsv").symlink_to(source)
    (tmp_path / "twin.tsv").hardlink_to(source)
    for name in ("rows.tsv", "link.tsv", "twin.tsv"):
        with refused(tmp_path / name, "test data"):
            require_other_file(
                tmp_path / name, {"training data": None, "test data": data}
            )
    require_other_file(tmp_path / "other.tsv", {"training data": data})


def test_nothing_is_written_into_a_folder_of_data(tmp_path):
    Dataset.from_dict({"text": ["x"]}).save_to_disk(tmp_path / "folder")
    out = tmp_path / "folder" / "out.parquet"
    with refused(out, "training data"):
        require_other_file(
            out, {"training data": DataConfig(data=str(tmp_path / "folder"))}
        )
