"""Read one data file into columns: jsonl, json, csv, tsv, parquet.

Nothing is guessed and nothing repaired: text is UTF-8 (a byte-order mark is taken
off), "NA" and "null" stay the texts they are, and a broken byte, a ragged line or
invalid JSON is an error that names file and line. Half a surrogate pair, which JSON can
write and UTF-8 cannot hold, is read as U+FFFD, and a warning says so. Numbers in csv
and tsv become integers only where every value of the column reads back as it was
written ("7", not "007").

- jsonl: one JSON object a line; empty lines are passed over.
- json: one list of objects; a file of objects line by line is read as jsonl.
- csv: commas, standard quoting with double quotes, line breaks inside of quotes.
- tsv: split on TAB and nothing else. Quotes are characters like any other, as in most
  tsv files of data sets; a text with a TAB or line break cannot be written in one.
- parquet: as it is.
"""

import csv
import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datainf.core.encodable import encodable
from datainf.core.errors import DataError, DatainfWarning

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_LONGEST_FIELD = 2**30
# What Arrow raises for values of several kinds, and for a number of too many digits.
_MISFITS = (
    pa.ArrowInvalid,
    pa.ArrowTypeError,
    pa.ArrowNotImplementedError,
    OverflowError,
)


def read_table(path: Path) -> pa.Table:
    """Read a data file.

    Args:
        path: A file whose name ends in one of `SUFFIXES`.

    Returns:
        Its columns.

    Raises:
        DataError: If the file is empty, broken or of another kind.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} is no data file: expected one that ends in {', '.join(SUFFIXES)}."
        )
    table = reader(path)
    if not table.num_rows:
        raise DataError(f"{path} holds no rows; give at least one.")
    return table


def _text_of(path: Path) -> str:
    """Decode a file, naming the line of a broken byte."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "save the file as UTF-8."
        ) from error


def _lines_of(path: Path) -> list[str]:
    """Split at line feeds only: other separators may stand inside of texts."""
    return [line.removesuffix("\r") for line in _text_of(path).split("\n")]


def _jsonl(path: Path) -> pa.Table:
    numbered = [
        (number, line)
        for number, line in enumerate(_lines_of(path), start=1)
        if line.strip()
    ]
    rows = [_parse(line, path, number) for number, line in numbered]
    return _table_of_rows(rows, path, [number for number, _ in numbered])


def _json(path: Path) -> pa.Table:
    text = _text_of(path)
    if not text.lstrip().startswith("["):
        return _jsonl(path)
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}: invalid JSON at character {error.colno}: "
            f"{error.msg.removesuffix(' at')}."
        ) from error
    return _table_of_rows(rows, path, None)


def _parse(line: str, path: Path, number: int) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {number}: invalid JSON at character {error.colno}: "
            f"{error.msg.removesuffix(' at')}."
        ) from error


def _table_of_rows(
    rows: Sequence[Any], path: Path, lines: Sequence[int] | None
) -> pa.Table:
    """Turn objects into columns; a key that a row does not have is empty there."""
    places = (
        [f"item {i}" for i in range(1, len(rows) + 1)]
        if lines is None
        else [f"line {line}" for line in lines]
    )
    for row, place in zip(rows, places, strict=True):
        if not isinstance(row, Mapping):
            raise DataError(
                f"{path}, {place}: expected an object such as "
                f'{{"text": "..."}}, got {type(row).__name__}.'
            )
    rows = _whole(rows, path, places)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {
        name: _array([row.get(name) for row in rows], name, path, places)
        for name in names
    }
    return pa.table(columns)


def _whole(
    rows: Sequence[Mapping[str, Any]], path: Path, places: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Replace half surrogate pairs; say in how many rows, and where the first is."""
    found = [encodable(row) for row in rows]
    changed = [i for i, row in enumerate(rows) if found[i] != row]
    if changed:
        warnings.warn(
            f"{path}: {len(changed)} of {len(rows)} rows hold half a surrogate pair, "
            f"the first in {places[changed[0]]}; it is read as U+FFFD.",
            DatainfWarning,
            stacklevel=2,
        )
    return found


def _array(values: list[Any], name: str, path: Path, places: Sequence[str]) -> pa.Array:
    """Make a column, naming the first value that does not fit the ones before."""
    try:
        return pa.array(values)
    except _MISFITS:
        # Growing prefixes would cost N²; halving finds the first misfit in log N steps.
        good, bad = 0, len(values)
        while bad - good > 1:
            middle = (good + bad) // 2
            if _fits(values[:middle]):
                good = middle
            else:
                bad = middle
        raise DataError(
            f"{path}, {places[bad - 1]}: column {name!r} holds another kind of value "
            f"({values[bad - 1]!r:.80}) than the rows before it."
        ) from None


def _fits(values: list[Any]) -> bool:
    try:
        pa.array(values)
    except _MISFITS:
        return False
    return True


def _csv(path: Path) -> pa.Table:
    with long_fields():
        reader = csv.reader(io.StringIO(_text_of(path), newline=""), strict=True)
        numbered = []
        try:
            for fields in reader:
                numbered.append((reader.line_num, fields))
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}.") from error
    return _table_of_lines(((n, f) for n, f in numbered if f), path, "commas")


def _tsv(path: Path) -> pa.Table:
    lines = enumerate(_lines_of(path), start=1)
    return _table_of_lines(((n, line.split("\t")) for n, line in lines if line), path)


def _table_of_lines(
    lines: Iterable[tuple[int, Sequence[str]]], path: Path, border: str = "TABs"
) -> pa.Table:
    """Turn split lines into columns; the first line holds their names."""
    found = list(lines)
    if not found:
        raise DataError(f"{path} is empty: expected a line of column names.")
    (_, names), *rows = found
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice; rename one.")
    for number, fields in rows:
        if len(fields) != len(names):
            raise DataError(
                f"{path}, line {number}: {len(fields)} fields between {border}, "
                f"expected {len(names)}: {', '.join(names)}."
            )
    columns = zip(*(fields for _, fields in rows), strict=True)
    return pa.table(dict(zip(names, map(_typed, columns), strict=bool(rows))))


def _typed(values: Sequence[str]) -> pa.Array:
    """Make integers of texts where that loses nothing."""
    if all(_INTEGER.fullmatch(value) and value != "-0" for value in values):
        return pa.array([int(value) for value in values])
    return pa.array(list(values))


@contextmanager
def long_fields() -> Iterator[None]:
    """Let csv read long texts; its limit is one number for the whole process.

    Yields:
        Nothing.
    """
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "strerror", None):  # the system's, about the path
            raise
        raise DataError(
            f"{path} is no parquet file, or not all of one; write or copy it again."
        ) from error


READERS: Mapping[str, Callable[[Path], pa.Table]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
SUFFIXES = tuple(READERS)
"""Endings of the names of data files."""
