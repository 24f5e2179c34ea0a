"""Results on stdout: as a table for people, as JSON or CSV for programs."""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from datainf.cli.console import plain, printable
from datainf.cli.flags import Given
from datainf.core.encodable import encodable
from datainf.core.options import word

if TYPE_CHECKING:
    import pandas as pd


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    """For people."""
    JSON = "json"
    """One document: a list of rows, or one mapping."""
    CSV = "csv"
    """Comma-separated, with a header."""


def write_table(table: "pd.DataFrame", style: Format) -> None:
    """Write rows to stdout.

    Args:
        table: The rows.
        style: How.
    """
    if style is Format.CSV:
        _emit(encodable(table.to_csv(index=False)))
    elif style is Format.JSON:
        _emit(_json(table.to_dict(orient="records")))
    else:
        drawn = Table(box=None, pad_edge=False, header_style="bold")
        for name in table.columns:
            number = table[name].dtype.kind in "if"
            # Texts may break; numbers and short columns keep their line.
            drawn.add_column(
                Text(plain(name)),
                justify="right" if number else "left",
                overflow="fold",
                no_wrap=number,
            )
        for row in table.itertuples(index=False):
            # Text: data that looks like markup is shown, not obeyed.
            drawn.add_row(*(Text(plain(value)) for value in row))
        _stdout().print(drawn)


def write_facts(facts: Mapping[str, Any], style: Format) -> None:
    """Write named values to stdout.

    Args:
        facts: Name -> value.
        style: How.
    """
    if style is Format.JSON:
        _emit(_json(facts))
        return
    if style is Format.CSV:
        import pandas as pd

        # A cell that holds more than one value holds it as JSON.
        cells = {
            name: _json(value, indent=None).rstrip()
            if isinstance(value, (Mapping, list, tuple))
            else value
            for name, value in facts.items()
        }
        _emit(pd.DataFrame([cells]).to_csv(index=False))
        return
    lines = dict(_lines(facts))
    width = max((len(name) for name in lines), default=0)
    for name, value in lines.items():
        typer.echo(f"{name:<{width}}  {plain(value)}".rstrip())


def _lines(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give nested values a line each, named by their path."""
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield from _lines(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def heading(title: str) -> None:
    """Write a heading between tables.

    Args:
        title: What comes below.
    """
    typer.echo(f"\n{title}")


def format_of(given: Given) -> Format:
    """Read `--format`.

    Args:
        given: The flags.

    Returns:
        The format; a table when not given.
    """
    return word(Format, given["format"] or Format.TABLE, "--format")


def _json(value: Any, indent: int | None = 2) -> str:
    """Write JSON with every digit of its numbers."""
    return json.dumps(_item(value), ensure_ascii=False, indent=indent) + "\n"


def _item(value: Any) -> Any:
    """Give what JSON has a word for; NaN and infinity, which it lacks, as null."""
    if isinstance(value, Mapping):
        return {encodable(str(name)): _item(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_item(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _emit(text: str) -> None:
    """Write data to stdout: as it is to a file or pipe, harmless to a terminal."""
    # With color=True nothing is taken out of the data where stdout is no terminal.
    shown = printable(text) if sys.stdout.isatty() else text
    typer.echo(shown, nl=False, color=True)


def _stdout() -> Console:
    """Give a console that never cuts what goes into a pipe or file."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, highlight=False, width=None if terminal else 200)
