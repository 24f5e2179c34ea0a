"""`clean` and `select`: from a finished run to another data set."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import typer

from datainf.cli.console import Bars, tell
from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, write_facts, write_table
from datainf.core.clean_options import CleanOptions, SelectOptions
from datainf.core.errors import OptionError

if TYPE_CHECKING:
    from datainf.workflows.held_out import Bought


def clean(given: Given) -> None:
    """Drop, relabel or review the most suspicious rows; the original stays."""
    style, k, out = format_of(given), _shown(given), _out(given)
    options = _options(given, CleanOptions)
    CleanOptions(**options)  # what is wrong with them shows before torch is loaded
    from datainf.workflows.clean import clean as work

    found = work(given.argument or "", out, progress=Bars(), **options)
    if style is Format.JSON:
        effects = None if found.bought is None else _records(found.bought)
        rows = found.rows.to_dict(orient="records")
        write_facts({"file": str(found.file), "rows": rows, "bought": effects}, style)
    else:
        write_table(found.rows.head(k), style)
    if found.bought is not None:
        for note in found.bought.notes:
            tell(f"note: {note}")
        if style is Format.TABLE:
            typer.echo()
            write_table(found.bought.table, style)
    for note in found.notes:
        tell(f"note: {note}")
    tell(f"wrote {found.file}, and what was done to {found.file}.clean.json")


def select(given: Given) -> None:
    """Write the training rows that help the queries of a run most."""
    style, k, out = format_of(given), _shown(given), _out(given)
    if given["count"] is None:
        raise OptionError("say how many rows with --count 100.")
    options = _options(given, SelectOptions)
    SelectOptions(**options)
    from datainf.workflows.selection import select as work

    found = work(given.argument or "", out, progress=Bars(), **options)
    if style is Format.JSON:
        rows = found.rows.to_dict(orient="records")
        write_facts({"file": str(found.file), "rows": rows}, style)
    else:
        write_table(found.rows.head(k), style)
    tell(f"wrote {found.file}")


def _records(bought: "Bought") -> dict[str, Any]:
    return {
        "seeds": bought.seeds,
        "test_rows": bought.test_rows,
        "effects": bought.table.to_dict(orient="records"),
    }


def _out(given: Given) -> str:
    if given["clean_file"] is None and given["select_file"] is None:
        raise OptionError(
            "no file to write; name one with --out FILE: the original is never changed."
        )
    return str(given["clean_file"] or given["select_file"])


def _shown(given: Given) -> int:
    k = 10 if given["k"] is None else int(given["k"])
    if k < 1:
        raise OptionError(f"--k must be at least 1, got {k}.")
    return k


def _options(given: Given, kind: type) -> dict[str, Any]:
    """Take the flags that are options; what was not given keeps its default."""
    names = [f.name for f in fields(kind)]
    return {name: given[name] for name in names if given[name] is not None}
