"""Data files: each kind as it stands, and what is wrong in it by line."""

import csv
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datainf.core.errors import DataError, DatainfWarning
from datainf.integrations.data_files import SUFFIXES, read_table


def refused(message):
    return pytest.raises(DataError, match=f"^{re.escape(message)}$")


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(data)
        return path

    return written


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "x", "label": 1}\n\n{"text": "y", "label": 0}'),
        ("a.json", '[{"text": "x", "label": 1}, {"text": "y", "label": 0}]'),
        ("lines.json", '{"text": "x", "label": 1}\n{"text": "y", "label": 0}\n'),
        ("a.csv", "text,label\nx,1\n\ny,0\n"),
        ("a.tsv", "text\tlabel\nx\t1\ny\t0\n"),
        ("windows.tsv", "text\tlabel\r\nx\t1\r\ny\t0\r\n"),
        ("mark.csv", "\ufefftext,label\nx,1\ny,0"),
        ("A.TSV", "text\tlabel\nx\t1\ny\t0"),
    ],
)
def test_every_kind_gives_the_same_rows(write, name, content):
    rows = read_table(write(name, content)).to_pylist()
    assert rows == [{"text": "x", "label": 1}, {"text": "y", "label": 0}]


def test_parquet_is_read_as_it_is(tmp_path):
    table = pa.table({"text": ["x", None], "n": [0.5, 1.5]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").equals(table)


def test_there_is_a_test_for_every_kind():
    assert SUFFIXES == (".jsonl", ".json", ".csv", ".tsv", ".parquet")


@pytest.mark.parametrize(
    "text", ["NA", "null", "", " nan ", '"', 'a "b', "it's", "a\0b"]
)
def test_texts_stay_what_they_are(write, text):
    assert read_table(write("a.tsv", f"text\tn\n{text}\t1\n"))["text"].to_pylist() == [
        text
    ]
    quoted = text.replace('"', '""')
    assert read_table(write("a.csv", f'text,n\n"{quoted}",1\n'))[
        "text"
    ].to_pylist() == [text]


def test_line_separators_inside_of_texts_do_not_split_rows(write):
    text = "a\u2028b\x85c\x0bd"
    assert read_table(write("a.tsv", f"text\n{text}\n")).to_pylist() == [{"text": text}]


def test_quoted_line_breaks_and_commas_stay_in_one_csv_field(write):
    rows = read_table(write("a.csv", 'text,label\n"a,\nb",1\n')).to_pylist()
    assert rows == [{"text": "a,\nb", "label": 1}]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["7", "007"], ["7", "007"]),
        (["-0", "1"], ["-0", "1"]),
        (["1", ""], ["1", ""]),
        (["1.0", "2"], ["1.0", "2"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
    ],
)
def test_integers_are_made_only_where_nothing_is_lost(write, values, read):
    content = "a\tn\n" + "".join(f"x\t{value}\n" for value in values)
    assert read_table(write("a.tsv", content))["n"].to_pylist() == read


def test_keys_that_some_rows_lack_are_empty_there(write):
    rows = read_table(write("a.jsonl", '{"a": 1}\n{"b": "x"}')).to_pylist()
    assert rows == [{"a": 1, "b": None}, {"a": None, "b": "x"}]


def test_long_csv_fields_are_read_and_the_limit_put_back(write):
    before = csv.field_size_limit()
    text = "x" * (before + 7)
    assert read_table(write("a.csv", f"text\n{text}\n"))["text"].to_pylist() == [text]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "x", " is no data file: expected one that ends in .jsonl, .json, "
         ".csv, .tsv, .parquet."),
        ("a.jsonl", "", " holds no rows; give at least one."),
        ("a.json", "[]", " holds no rows; give at least one."),
        ("a.tsv", "", " is empty: expected a line of column names."),
        ("a.csv", "", " is empty: expected a line of column names."),
        ("a.tsv", "text\tlabel\n", " holds no rows; give at least one."),
        ("a.tsv", b"text\nok\nb\xe9d\n", ", line 3: byte 0xe9 is not UTF-8; save the "
         "file as UTF-8."),
        ("a.tsv", "a\tb\nx\ty\nz\n", ", line 3: 1 fields between TABs, expected "
         "2: a, b."),
        ("a.csv", 'a,b\n"x\ny",1,2\n', ", line 3: 3 fields between commas, expected 2: "
         "a, b."),
        ("a.csv", 'a,b\n"x"y,1\n', ", line 2: ',' expected after '\"'."),
        ("a.csv", "a,b,a\n1,2,3\n", " has the column 'a' twice; rename one."),
        ("a.jsonl", '{"a": 1}\n\n{"a" 2}', ", line 3: invalid JSON at character 6: "
         "Expecting ':' delimiter."),
        ("a.jsonl", '{"a": "b', ", line 1: invalid JSON at character 7: Unterminated "
         "string starting."),
        ("a.json", '[{"a": 1},\n{"a" 2}]', ", line 2: invalid JSON at character 6: "
         "Expecting ':' delimiter."),
        ("a.jsonl", '{"a": 1}\n{"a": 1' + "0" * 30 + "}", ", line 2: column 'a' holds "
         "another kind of value (1" + "0" * 30 + ") than the rows before it."),
        ("a.jsonl", '{"a": 1}\n[1]', ", line 2: expected an object such as "
         '{"text": "..."}, got list.'),
        ("a.json", '[{"a": 1}, 2]', ", item 2: expected an object such as "
         '{"text": "..."}, got int.'),
        ("a.jsonl", "\n".join(['{"a": 1}'] * 5 + ['{"a": "x"}', '{"a": 2}']),
         ", line 6: column 'a' holds another kind of value ('x') than the rows before "
         "it."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_file_and_line(write, name, content, message):
    path = write(name, content)
    with refused(f"{path}{message}"):
        read_table(path)


@pytest.mark.parametrize("keep", [0, 1, 200, -20])
def test_a_broken_parquet_file_is_refused(tmp_path, keep):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(99)]}), path)
    path.write_bytes(path.read_bytes()[:keep])
    with refused(
        f"{path} is no parquet file, or not all of one; write or copy it again."
    ):
        read_table(path)


def test_a_parquet_file_whose_pages_are_damaged_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(99)]}), path)
    data = bytearray(path.read_bytes())
    data[4:40] = bytes(36)
    path.write_bytes(data)
    with refused(
        f"{path} is no parquet file, or not all of one; write or copy it again."
    ):
        read_table(path)


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_half_a_surrogate_pair_is_read_as_its_sign_and_said(write, suffix):
    lines = ['{"a": "x", "b": ["y"]}', '{"a": "x", "b": ["half \\ud83d"]}']
    text = "\n".join(lines) if suffix == "jsonl" else f"[{','.join(lines)}]"
    path = write(f"a.{suffix}", text)
    place = "line 2" if suffix == "jsonl" else "item 2"
    said = (
        f"{path}: 1 of 2 rows hold half a surrogate pair, the first in {place}; it is "
        "read as U+FFFD."
    )
    with pytest.warns(DatainfWarning, match=f"^{re.escape(said)}$"):
        found = read_table(path)
    assert found["b"].to_pylist() == [["y"], ["half \ufffd"]]


def test_a_whole_surrogate_pair_and_a_nul_byte_are_read_as_they_are(write):
    path = write("a.jsonl", '{"a": "\\ud83d\\ude00 \\u0000"}')
    assert read_table(path)["a"].to_pylist() == ["\U0001f600 \0"]
