"""A table of data for people: a csv file in which no cell is taken for a formula.

A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, whoever wrote the
training row: it can send what stands beside it to an address. Such a text gets an
apostrophe before it, the spreadsheets' own mark of a text; plain numbers (`-5`) and all
else stay to the letter. Programs find rows by `index`, and texts as they are in
`scores/` and in what `--format json` or `csv` prints.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from datainf.core.encodable import encodable

_FORMULA = re.compile(r"\s*[=+\-@]|[\t\r]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*([eE][+-]?\d+)?%?")


def write_for_people(table: pd.DataFrame, path: Path) -> None:
    """Write a table as csv.

    Args:
        table: Cells may come out of data.
        path: The file.
    """
    table.map(harmless).to_csv(path, index=False, encoding="utf-8")


def harmless(cell: Any) -> Any:
    """Mark a text that a spreadsheet would compute as a text.

    Args:
        cell: Of a table.

    Returns:
        The cell; a text encodes as UTF-8.

    Examples:
        >>> harmless("=1+1"), harmless("-5"), harmless(-5), harmless("a=b")
        ("'=1+1", '-5', -5, 'a=b')
    """
    if not isinstance(cell, str):
        return cell
    text = str(encodable(cell))
    computed = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    return f"'{text}" if computed else text
