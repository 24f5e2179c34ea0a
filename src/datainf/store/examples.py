"""`examples.parquet`: one row an example, in the order of the gradients.

Columns: `index` int64 (position in the data set), `hash` string (of the row), `tokens`
int64 (its length), and `text` string where the store keeps it.
"""

import hashlib
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datainf.core.errors import DataError, StoreError
from datainf.store.atomic import Written, reading, write_whole

EXAMPLES_NAME = "examples.parquet"
_COLUMNS = {
    "index": pa.int64(),
    "hash": pa.string(),
    "tokens": pa.int64(),
    "text": pa.string(),
}


def columns(store_text: bool) -> tuple[str, ...]:
    """Name the columns of the table, in order."""
    return tuple(name for name in _COLUMNS if store_text or name != "text")


def as_table(examples: pd.DataFrame, *, store_text: bool) -> pa.Table:
    """Check a table of examples and bring it into its form on disk.

    Args:
        examples: One row an example.
        store_text: Whether it must hold `text`; otherwise it must not.

    Returns:
        The table. What no file can hold as UTF-8 (half a surrogate pair) is `?` in it.

    Raises:
        DataError: If it is empty, has other columns, or `index` does not rise from row
            to row.
    """
    names = columns(store_text)
    if set(examples.columns) != set(names):
        raise DataError(
            f"the table of examples must have the columns {', '.join(names)}, got "
            f"{', '.join(map(str, examples.columns))}."
        )
    if not len(examples):
        raise DataError("there are no examples to collect; give at least one.")
    index = examples["index"].to_numpy()
    if index[0] < 0 or (index[1:] <= index[:-1]).any():
        raise DataError(
            "the index of examples must start at 0 or above and rise from row to row."
        )
    return pa.table({name: _column(examples[name], name) for name in names})


def _column(values: pd.Series, name: str) -> pa.Array:
    """Make one column, without pandas' own notes about it."""
    given = values.tolist()
    if _COLUMNS[name] == pa.string():
        given = [text.encode("utf-8", "replace").decode("utf-8") for text in given]
    return pa.array(given, _COLUMNS[name])


def write_examples(folder: Path, table: pa.Table) -> Written:
    """Write the table into a store's folder."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return write_whole(folder / EXAMPLES_NAME, [sink.getvalue()])


def read_examples(
    folder: Path, *, rows: int, sha256: str, store_text: bool
) -> pa.Table:
    """Read the table of a store.

    Args:
        folder: The store.
        rows: Rows it must have.
        sha256: Hash it must have.
        store_text: Whether it must hold `text`.

    Returns:
        The table.

    Raises:
        StoreError: If it is missing, altered, or of another form.
    """
    path = folder / EXAMPLES_NAME
    with reading(path):
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StoreError(
            f"{path} is altered: its sha256 is not the manifest's; collect the store "
            "again."
        )
    table = pq.read_table(io.BytesIO(data))
    expected = {name: _COLUMNS[name] for name in columns(store_text)}
    found = dict(zip(table.schema.names, table.schema.types, strict=True))
    if found != expected or len(table) != rows:
        raise StoreError(
            f"{path} must hold {rows} rows of {_said(expected)}, got {len(table)} rows "
            f"of {_said(found)}; collect the store again."
        )
    return table


def _said(types: dict[str, pa.DataType]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())
