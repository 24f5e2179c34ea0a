"""Results on stdout: as a table for people, as JSON or CSV for programs."""

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from datainf.cli.console import plain
from datainf.cli.flags import Given
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
        typer.echo(table.to_csv(index=False), nl=False)
    elif style is Format.JSON:
        typer.echo(table.to_json(orient="records", force_ascii=False, indent=2))
    else:
        drawn = Table(box=None, pad_edge=False, header_style="bold")
        for name in table.columns:
            number = table[name].dtype.kind in "if"
            # Texts may break; numbers and short columns keep their line.
            drawn.add_column(
                name,
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
        typer.echo(json.dumps(dict(facts), ensure_ascii=False, indent=2, default=_item))
        return
    if style is Format.CSV:
        import pandas as pd

        typer.echo(pd.DataFrame([dict(facts)]).to_csv(index=False), nl=False)
        return
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {plain(value)}")


def format_of(given: Given) -> Format:
    """Read `--format`.

    Args:
        given: The flags.

    Returns:
        The format; a table when not given.
    """
    return word(Format, given["format"] or Format.TABLE, "--format")


def _item(value: Any) -> Any:
    """Give numpy's numbers as Python's, and all else as text."""
    return value.item() if hasattr(value, "item") else str(value)


def _stdout() -> Console:
    """Give a console that never cuts what goes into a pipe or file."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, highlight=False, width=None if terminal else 200)
