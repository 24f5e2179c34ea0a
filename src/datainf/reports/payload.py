"""The data of a page: what its script lays out, as one JSON value.

Each training row is there once, however many queries list it. All N rows are there up
to 20,000: beyond that the listed ones and the strongest of any query. Texts of rows
that no query lists are cut at 300 characters. The scores of every query stand in a
matrix of float32 beside it, where that has at most two million entries.

Q queries, N training examples, M rows on the page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from datainf.core.pictures import Pictures
from datainf.core.records import Scores
from datainf.core.token_scores import Side as Whose
from datainf.core.token_scores import TokenScores
from datainf.reports.grouping import groupings
from datainf.reports.queries import Neighbour, QuerySection, query_sections
from datainf.reports.visible import is_missing, shown, shown_index, visible

ROWS, CELLS, CUT = 20_000, 2_000_000, 300
_DRAWN_APART = ("index", "text")


def payload(
    scores: Scores,
    k: int,
    *,
    tokens: TokenScores | None = None,
    pictures: Pictures | None = None,
    also: Sequence[object] = (),
) -> tuple[dict[str, Any], Float[np.ndarray, "Q M"] | None]:
    """Put all that the page shows of rows and queries into one value.

    Args:
        scores: The scores.
        k: How many different training examples at either end of a query.
        tokens: Token scores of some pairs.
        pictures: Small images of some rows.
        also: Indices of further training rows that the page speaks of.

    Returns:
        JSON values, and the scores of every query and row on the page, or None where
        they are too many.
    """
    of_train = {} if pictures is None else pictures.of(Whose.TRAIN)
    of_queries = {} if pictures is None else pictures.of(Whose.QUERY)
    sections = list(query_sections(scores, k, tokens, of_train))
    named = set(also)
    listed = {i for each in sections for side in each.sides for i in side.places}
    listed |= {i for i, index in enumerate(scores.train["index"]) if index in named}
    kept = kept_rows(scores, listed)
    where = {int(place): position for position, place in enumerate(kept)}
    held = len(kept) * len(scores.values) <= CELLS
    value = {
        "total": len(scores.train),
        "columns": _columns(scores.train),
        "rows": _rows(scores.train.iloc[kept], of_train, {where[i] for i in listed}),
        "mean": [_short(x) for x in scores.values.mean(axis=0, dtype=float)[kept]],
        "queryColumns": _columns(scores.queries),
        "queries": [
            {**row, **_section(section, where)}
            for row, section in zip(
                _rows(scores.queries, of_queries, range(len(sections))),
                sections,
                strict=True,
            )
        ],
        "groups": [
            {
                "column": each.column,
                "names": each.names,
                "counts": each.counts,
                "means": [[_short(x) for x in row] for row in each.means],
            }
            for each in groupings(scores)
        ],
    }
    return value, scores.values[:, kept].astype("<f4") if held else None


def kept_rows(scores: Scores, listed: Iterable[int]) -> Int[np.ndarray, " M"]:
    """Choose the rows that the page holds.

    Args:
        scores: The scores.
        listed: Places that must be there.

    Returns:
        Places in the data's order: all, or the listed ones and then those with the
        largest score of any query, relative to that query's largest.
    """
    count = len(scores.train)
    if count <= ROWS:
        return np.arange(count)
    sizes = np.abs(scores.values.astype(np.float64))
    largest = sizes.max(axis=1, keepdims=True)
    strength = (sizes / np.where(largest > 0, largest, 1.0)).max(axis=0)
    strength[list(listed)] = np.inf
    chosen = np.argsort(-strength, kind="stable")[: max(ROWS, np.isinf(strength).sum())]
    return np.sort(chosen)


def _columns(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Name the further columns, and say which are flags."""
    found = []
    for place, name in enumerate(table.columns):
        if name not in _DRAWN_APART:
            values = [v for v in table.iloc[:, place] if not is_missing(v)]
            flag = bool(values) and all(isinstance(v, (bool, np.bool_)) for v in values)
            found.append({"name": visible(str(name)), "flag": flag})
    return found


def _rows(
    table: pd.DataFrame, pictures: Mapping[object, str], whole: Iterable[int]
) -> list[dict[str, Any]]:
    """Write rows as the page shows them, texts of most of them in part."""
    whole = set(whole)
    others = [i for i, name in enumerate(table.columns) if name not in _DRAWN_APART]
    texts = table["text"].tolist() if "text" in table else [None] * len(table)
    tags = zip(*([shown(v) for v in table.iloc[:, i]] for i in others), strict=True)
    rows = []
    for position, (index, text, values) in enumerate(
        zip(
            table["index"].tolist(),
            texts,
            tags if others else [()] * len(table),
            strict=True,
        )
    ):
        row: dict[str, Any] = {"index": shown_index(index), "tags": values}
        if not is_missing(text):
            written = visible(str(text))
            row["text"] = written if position in whole else written[:CUT]
            if len(row["text"]) < len(written):
                row["size"] = len(written)
        if index in pictures:
            row["picture"] = pictures[index]
        rows.append(row)
    return rows


def _section(section: QuerySection, where: Mapping[int, int]) -> dict[str, Any]:
    """Write a query's section, rows by their position on the page."""
    return {
        "sides": [
            {
                "name": side.name,
                "total": side.total,
                "rows": [_neighbour(row, where) for row in side.rows],
            }
            for side in section.sides
        ],
        "power": section.power,
        "residual": section.residual,
        "chart": section.chart,
        "layers": [
            [visible(layer.name), _short(layer.proponents), _short(layer.opponents)]
            for layer in section.layers
        ],
    }


def _neighbour(row: Neighbour, where: Mapping[int, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "row": where[row.place],
        "score": row.score,
        "written": row.written,
        "share": row.share,
    }
    if row.tokens:
        found["tokens"] = [asdict(view) for view in row.tokens]
    if row.twins:
        found["twins"] = [_neighbour(twin, where) for twin in row.twins]
    return found


def _short(value: float) -> float:
    """Keep six significant digits: enough to draw and to sort by."""
    return float(f"{value:.6g}")
