"""Settings, sources, facts and tables of a report, as text; templates lay them out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from datainf.core.options import ScoreOptions, help_of
from datainf.core.records import Scores
from datainf.reports.visible import Passage, Scale, passage, shown, shown_index, visible

_EXPLAINED = ("damping", "blocks", "normalize")
_SHORT = 40


@dataclass(frozen=True)
class Setting:
    """One line of the settings: name, value, and what it means where that is known."""

    name: str
    value: str
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A table of any columns.

    Attributes:
        columns: Their names, and whether they hold numbers.
        rows: Cells as text; long ones as passages.
    """

    columns: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str | Passage, ...], ...]


@dataclass(frozen=True)
class Fact:
    """A named finding: a value, a list of named values, or a table."""

    name: str
    value: str = ""
    parts: tuple[Setting, ...] = ()
    table: Table | None = field(default=None)


def settings(scores: Scores) -> tuple[Setting, ...]:
    """List method, options and version, with the meaning of the common options."""
    made = scores.provenance
    options = [
        Setting(
            visible(name),
            shown(value),
            help_of(ScoreOptions, name) if name in _EXPLAINED else "",
        )
        for name, value in made.options.items()
    ]
    return (
        Setting("method", visible(made.method)),
        *options,
        Setting("curvature groups", f"{len(scores.groups):,}"),
        Setting("version", visible(made.version) or "not recorded"),
    )


def sources(scores: Scores) -> dict[str, tuple[Setting, ...]]:
    """List what the gradients were made from, store by store."""
    return {
        visible(str(name)): tuple(_flat(value))
        for name, value in scores.provenance.sources.items()
    }


def _flat(value: object, name: str = "") -> Iterator[Setting]:
    """Turn nested mappings into lines named by their path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name} · {key}" if name else str(key))
    else:
        yield Setting(visible(name), shown(value))


def table(frame: pd.DataFrame) -> Table:
    """Take any table: numbers of a column are written alike, texts may be long.

    Args:
        frame: Its columns are shown in order, its own row names are not.

    Returns:
        The table.
    """
    columns, cells = [], []
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        numeric = pd.api.types.is_numeric_dtype(
            column
        ) and not pd.api.types.is_bool_dtype(column)
        columns.append((visible(str(name)), numeric))
        cells.append(_cells(column, numeric=numeric, name=str(name)))
    return Table(tuple(columns), tuple(zip(*cells, strict=True)))


def _cells(column: pd.Series, *, numeric: bool, name: str) -> list[str | Passage]:
    """Write the cells of one column."""
    if numeric and pd.api.types.is_float_dtype(column):
        finite = column[np.isfinite(column.astype(float))]
        scale = Scale.of([float(value) for value in finite])
        if scale.power == 0 and len(finite) == len(column):
            if finite.abs().max() > 0.1:  # such as an AUC: three digits say enough
                scale = replace(scale, decimals=min(scale.decimals, 3))
            return [scale.write(float(value), sign=False) for value in column]
    if numeric and name in {"index", "train", "query", "rank"}:
        return [shown_index(value) for value in column]
    return [_cell(value) for value in column]


def _cell(value: object) -> str | Passage:
    """Write one cell: a sentence or more is a passage, a word or two stay in line."""
    found = passage(value) if isinstance(value, str) else None
    if found and (len(found.text) > _SHORT or "\n" in found.text):
        return found
    return shown(value)


def fact(name: object, value: object) -> Fact:
    """Take one named finding of any shape.

    Args:
        name: What it is.
        value: A number, text or flag; a mapping of them; or a table.

    Returns:
        The fact.
    """
    written = visible(str(name))
    if isinstance(value, pd.DataFrame):
        return Fact(written, table=table(value))
    if isinstance(value, Mapping):
        return Fact(written, parts=tuple(_flat(value)))
    return Fact(written, shown(value))
