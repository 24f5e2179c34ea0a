"""What each section of a report shows, taken from scores; templates lay it out.

Q queries, N training examples, k listed at either end of a query.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from datainf.core.options import Order, ScoreOptions, help_of
from datainf.core.records import Scores
from datainf.core.token_scores import TokenScores
from datainf.reports.plots import distribution
from datainf.reports.token_view import TokenView, views_of
from datainf.reports.visible import Passage, Scale, passage, shown, visible
from datainf.reports.wording import query_residual

_Row = Mapping[Hashable, Any]

_EXPLAINED = ("damping", "blocks", "normalize")
_DRAWN_APART = ("index", "text")
_SHORT = 40


@dataclass(frozen=True)
class Tag:
    """A further column of a row.

    Attributes:
        name: The column.
        value: What it holds.
        kind: `yes` or `no` for a flag, `same` where the query has the same value in a
            column of that name, otherwise `plain`.
    """

    name: str
    value: str
    kind: str


@dataclass(frozen=True)
class Neighbour:
    """A training example listed for a query.

    Attributes:
        rank: From 1.
        index: Its index in the training data.
        score: The number itself.
        written: The number as shown.
        share: Its size in percent of the largest score of the query.
        text: Where kept.
        tags: Further columns.
        tokens: Both sides token by token, where they were scored.
    """

    rank: int
    index: str
    score: float
    written: str
    share: float
    text: Passage | None
    tags: tuple[Tag, ...]
    tokens: tuple[TokenView, ...] = ()


@dataclass(frozen=True)
class Side:
    """One end of a query's scores.

    Attributes:
        name: `proponents` or `opponents`.
        rows: The strongest ones of that sign.
        total: How many training examples have that sign.
    """

    name: str
    rows: tuple[Neighbour, ...]
    total: int


@dataclass(frozen=True)
class QuerySection:
    """Everything about one query.

    Attributes:
        number: From 1.
        index: Its index in the query data.
        text: Where kept.
        tags: Further columns.
        sides: Proponents, then opponents.
        power: Scores are shown in units of 10 to this power.
        residual: How well its system was solved, or nothing.
        chart: What `plots.distribution` gives.
    """

    number: int
    index: str
    text: Passage | None
    tags: tuple[Tag, ...]
    sides: tuple[Side, ...]
    power: int
    residual: str
    chart: dict[str, Any]


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


def query_sections(
    scores: Scores, k: int, tokens: TokenScores | None = None
) -> Iterator[QuerySection]:
    """Describe every query, in order.

    Args:
        scores: Their rows' tables say what is known of each row.
        k: How many training examples at either end.
        tokens: Token scores of some pairs.

    Yields:
        One section a query.
    """
    # Positions instead of indices, and no other column: whatever columns the data has,
    # `top` finds its own.
    bare = scores.with_rows(train=pd.DataFrame({"index": np.arange(len(scores.train))}))
    train = scores.train.to_dict("records")
    views = views_of(tokens)
    for q, (row, query) in enumerate(
        zip(scores.values, scores.queries.to_dict("records"), strict=True)
    ):
        ends = {
            order.value: _positions(bare, q, order, k)
            for order in (Order.PROPONENTS, Order.OPPONENTS)
        }
        scale = Scale.of([float(row[i]) for listed in ends.values() for i in listed])
        largest = float(np.abs(row).max())
        sides = tuple(
            Side(
                name,
                tuple(
                    Neighbour(
                        rank=rank,
                        index=shown_index(train[i]["index"]),
                        score=float(row[i]),
                        written=scale.write(float(row[i])),
                        share=round(100 * (abs(float(row[i])) / largest), 1),
                        text=passage(train[i].get("text")),
                        tags=_tags(train[i], query),
                        tokens=views.get((query["index"], train[i]["index"]), ()),
                    )
                    for rank, i in enumerate(listed, start=1)
                ),
                int((row < 0).sum() if name == Order.PROPONENTS else (row > 0).sum()),
            )
            for name, listed in ends.items()
        )
        yield QuerySection(
            number=q + 1,
            index=shown_index(query["index"]),
            text=passage(query.get("text")),
            tags=_tags(query),
            sides=sides,
            power=scale.power,
            residual=query_residual(scores.residual[q].astype(np.float64)),
            chart=distribution(
                row.astype(np.float64),
                [(each.score, each.index) for side in sides for each in side.rows],
            ),
        )


def _positions(bare: Scores, query: int, order: Order, k: int) -> list[int]:
    """List the strongest of one sign: a weak proponent is no opponent."""
    top = bare.top(k, order, query=query)
    sign = -1 if order == Order.PROPONENTS else 1
    return top["train"][np.sign(top["score"]) == sign].tolist()


def shown_index(value: object) -> str:
    """Write a row's index as it is: a name to look it up by, without separators."""
    return visible(str(value))


def _tags(row: _Row, query: _Row | None = None) -> tuple[Tag, ...]:
    """Take the further columns of a row."""
    tags = []
    for name, value in row.items():
        if name in _DRAWN_APART:
            continue
        written, kind = shown(value), "plain"
        if isinstance(value, (bool, np.bool_)):
            kind = written
        elif query is not None and name in query and shown(query[name]) == written:
            kind = "same"
        tags.append(Tag(visible(str(name)), written, kind))
    return tuple(tags)


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
