"""What goes to stdout: tables for people, JSON and CSV that programs can read."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, heading, write_facts, write_table
from datainf.core.errors import OptionError
from datainf.core.store_dtype import StoreDtype

# Digits that are lost when a number is written with ten decimals.
TINY = -3.828938847840607e-13
TABLE = pd.DataFrame(
    {
        "train": [3, 10, 7],
        "score": np.array([TINY, -1387.2214, float("nan")]),
        "[bold]text": ["[red]x[/red] :smile:", "two\nlines, and \x1b[31mred", "é → λ"],
        "wrong": [True, False, True],
    }
)


def strict(text):
    """Read JSON as programs do that know no NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_table_shows_data_as_it_is_and_numbers_to_the_right(capsys):
    write_table(TABLE, Format.TABLE)
    said = capsys.readouterr()
    assert said.err == ""
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "train       score  [bold]text              wrong",
        "    3  -3.829e-13  [red]x[/red] :smile:    True",
        "   10       -1387  two lines, and [31mred  False",
        "    7           –  é → λ                   True",
    ]


def test_a_long_text_is_broken_but_never_cut(capsys):
    text = "abcdefghij" * 70
    write_table(pd.DataFrame({"train": [1234567], "text": [text]}), Format.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 3
    assert lines[1].startswith("1234567  abc")
    assert "".join(line[9:].strip() for line in lines[1:]) == text


def test_a_csv_table_can_be_read_back(capsys):
    write_table(TABLE, Format.CSV)
    said = capsys.readouterr()
    assert said.err == ""
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(said.out)), TABLE)


def test_a_json_table_can_be_read_back_with_every_digit(capsys):
    write_table(TABLE, Format.JSON)
    said = capsys.readouterr()
    assert said.err == ""
    rows = strict(said.out)
    assert rows[0] == {
        "train": 3,
        "score": TINY,
        "[bold]text": "[red]x[/red] :smile:",
        "wrong": True,
    }
    assert rows[1]["[bold]text"] == "two\nlines, and \x1b[31mred"
    assert rows[2]["score"] is None
    assert "é → λ" in said.out


def test_an_empty_table_has_a_header_still(capsys):
    for style in (Format.TABLE, Format.CSV):
        write_table(TABLE.head(0), style)
        assert capsys.readouterr().out.startswith("train")
    write_table(TABLE.head(0), Format.JSON)
    assert strict(capsys.readouterr().out) == []


FACTS = {
    "path": Path("a/b"),
    "rows": np.int64(7),
    "share": np.float32(0.25),
    "none": float("inf"),
    "dtype": StoreDtype.BF16,
    "options": {"damping": 0.1, "steps": np.int64(3)},
    "faults": [],
}


def test_facts_stand_below_each_other(capsys):
    write_facts({"rows": 7, "a longer name": "[b]x[/b]\n\x07"}, Format.TABLE)
    assert capsys.readouterr().out == "rows           7\na longer name  [b]x[/b]\n"


def test_facts_as_json_are_one_mapping(capsys):
    write_facts(FACTS, Format.JSON)
    assert strict(capsys.readouterr().out) == {
        "path": "a/b",
        "rows": 7,
        "share": 0.25,
        "none": None,
        "dtype": "bf16",
        "options": {"damping": 0.1, "steps": 3},
        "faults": [],
    }


def test_facts_as_csv_are_one_row_with_json_where_a_value_is_many(capsys):
    write_facts(FACTS, Format.CSV)
    (row,) = pd.read_csv(io.StringIO(capsys.readouterr().out)).to_dict("records")
    assert (row["path"], row["rows"], row["dtype"]) == ("a/b", 7, "bf16")
    assert json.loads(row["options"]) == {"damping": 0.1, "steps": 3}
    assert json.loads(row["faults"]) == []


def test_no_facts_are_no_lines(capsys):
    write_facts({}, Format.TABLE)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("style", [Format.CSV, Format.JSON])
def test_data_is_untouched_in_a_pipe_and_harmless_on_a_terminal(
    capsys, monkeypatch, style
):
    table = pd.DataFrame({"text": ["a\x9b2J\x1b[31mb", "c"]})
    write_table(table, style)
    piped = capsys.readouterr().out
    assert "\x9b2J" in piped
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    write_table(table, style)
    shown = capsys.readouterr().out
    assert shown.replace("\n", "").isprintable()
    assert shown.count("\n") == piped.count("\n")


def test_a_heading_stands_apart(capsys):
    heading("Report")
    assert capsys.readouterr().out == "\nReport\n"


@pytest.mark.parametrize("style", Format)
def test_the_format_is_read_by_its_word(style):
    assert format_of(Given({"format": style.value})) is style


def test_without_a_format_a_table_is_written():
    assert format_of(Given()) is Format.TABLE


def test_an_unknown_format_is_refused():
    message = r"^--format='jsn' is unknown: expected one of: .*; did you mean 'json'\?"
    with pytest.raises(OptionError, match=message):
        format_of(Given({"format": "jsn"}))
