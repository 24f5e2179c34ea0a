"""Groups of training examples by a column of their data."""

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from datainf.core.encodable import encodable
from datainf.core.errors import DataError, OptionError, near
from datainf.core.groups import Reduce
from datainf.core.records import Scores
from datainf.core.run_config import DataConfig
from datainf.integrations.examples import load_examples

# Names that scores use for themselves.
_TAKEN = ("index", "text", "query", "rank", "train", "score")
# Columns that go along: kinds, different values, letters of a text.
_PLAIN = (str, bool, int, float)
_DIFFERENT, _LETTERS = 60, 80
# Lines of a table in a report.
_SHOWN = 200


def require_column(column: str | None, dataset: Any) -> None:
    """Refuse a column that cannot group training examples, before any work.

    Args:
        column: The column; None passes.
        dataset: The training data.

    Raises:
        OptionError: If scores use the name for themselves.
        DataError: If the data have no such column, or lists in it.
    """
    if column is None:
        return
    if column in _TAKEN:
        raise OptionError(
            f"group_by={column!r}: scores use this name themselves; rename the column."
        )
    first = dict(dataset[0])
    if column not in first:
        raise DataError(f"column {column!r} is missing: {near(column, first)}.")
    if not isinstance(first[column], Hashable):
        raise DataError(
            f"column {column!r} must hold a text or number to group by, got a "
            f"{type(first[column]).__name__}."
        )


def with_column(scores: Scores, column: str | None, dataset: Any) -> Scores:
    """Give the scores' training examples a column of their data.

    Args:
        scores: Scores of some of the rows, by `index`.
        column: The column; None changes nothing.
        dataset: The training data.

    Returns:
        The scores with the column.
    """
    if column is None:
        return scores
    values = [encodable(dataset[int(i)][column]) for i in scores.train["index"]]
    return scores.with_rows(train=scores.train.assign(**{column: values}))


def with_columns(
    scores: Scores, column: str | None, train: Any, queries: Any = None
) -> Scores:
    """Give the scores' rows what their data say of them in few words.

    A column goes along that holds texts of at most 80 characters, numbers or flags, and
    at most 60 different ones, each on two rows or more on average: labels, sources,
    languages.

    Args:
        scores: Scores of some of the rows, by `index`.
        column: A column that goes along in any case.
        train: The training data.
        queries: The queries' data, if each query is one of them.

    Returns:
        The scores with the columns; queries have those that the training data have.
    """
    index = [int(i) for i in scores.train["index"]]
    found = few_words(train, index)
    if queries is not None and found:
        asked = [int(i) for i in scores.queries["index"]]
        names = [name for name in found if name in queries[asked[0]]]
        rows = _narrow(queries, names)
        values = {name: [encodable(rows[i][name]) for i in asked] for name in names}
        kept = {name: held for name, held in values.items() if _one_kind(held)}
        scores = scores.with_rows(queries=scores.queries.assign(**kept))
    scores = scores.with_rows(train=scores.train.assign(**found))
    return scores if column in found else with_column(scores, column, train)


def few_words(dataset: Any, index: Sequence[int]) -> dict[str, list[Any]]:
    """Find the columns of data that say something in few words.

    Args:
        dataset: The rows.
        index: Which of them.

    Returns:
        Column -> values of these rows.
    """
    first = dict(dataset[index[0]])
    names = [
        name
        for name, value in first.items()
        if name not in _TAKEN and (value is None or isinstance(value, _PLAIN))
    ]
    if not names:  # data without columns would have no rows
        return {}
    rows = _narrow(dataset, names)
    values: dict[str, list[Any]] = {name: [] for name in names}
    for i in index:
        row = rows[i]
        for name, held in values.items():
            held.append(encodable(row.get(name)))
    most = min(_DIFFERENT, len(index) // 2)
    return {
        name: held
        for name, held in values.items()
        if _one_kind(held) and len(set(held)) <= most
    }


def _narrow(dataset: Any, names: list[str]) -> Any:
    """Leave the other columns unread, where the data can: images are slow to decode."""
    select = getattr(dataset, "select_columns", None)
    return dataset if select is None else select(names)


def _one_kind(values: Sequence[Any]) -> bool:
    """Tell whether a column holds short texts, or numbers, or flags, and not a mix."""
    kinds = {type(value) for value in values if value is not None}
    return (
        bool(kinds)
        and kinds <= set(_PLAIN)
        and (len(kinds) == 1 or kinds == {int, float})
        and not any(isinstance(v, str) and len(v) > _LETTERS for v in values)
    )


def influence_of_groups(
    scores: Scores,
    column: str,
    *,
    rows: str | None = None,
    reduce: Reduce | str = Reduce.SUM,
    query: int | None = None,
) -> pd.DataFrame:
    """Give the influence of every group of a column.

    Args:
        scores: The scores.
        column: A column that they carry, or of the data.
        rows: The training data's file, for a column that they do not carry.
        reduce: `sum` or `mean`.
        query: Only the query of this number; all when None.

    Returns:
        As `Scores.by_group`.

    Raises:
        OptionError: If the query is not there, or the data have fewer rows.
    """
    if rows is not None:
        dataset = load_examples(DataConfig(data=rows))
        require_column(column, dataset)
        last = int(scores.train["index"].max())
        if last >= len(dataset):
            raise OptionError(
                f"{rows} has {len(dataset)} rows and the scores speak of row {last}; "
                "give the data that were scored."
            )
        scores = with_column(scores, column, dataset)
    found = scores.by_group(column, reduce)
    if query is None:
        return found
    if not 0 <= query < len(scores.values):
        raise OptionError(
            f"--query {query} is not there; scores hold queries 0 to "
            f"{len(scores.values) - 1}."
        )
    chosen = found["query"] == scores.queries["index"].iloc[query]
    return found[chosen].reset_index(drop=True)


def group_facts(scores: Scores, column: str | None) -> dict[str, pd.DataFrame]:
    """Make a report's table of groups; none where it would be long.

    Args:
        scores: The scores, with the column.
        column: What groups; None for no table.

    Returns:
        Heading -> table.
    """
    if column is None:
        return {}
    table = scores.by_group(column, Reduce.MEAN)
    return {f"Mean influence by {column}": table} if len(table) <= _SHOWN else {}
