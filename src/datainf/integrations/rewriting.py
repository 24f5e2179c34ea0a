"""Write some rows of a data file in the format of that file.

Rows that are not changed keep their writing: a line of jsonl or tsv its bytes, a cell
of csv its text ("007"), a column of parquet its type. The file itself is only read.

A data set that is no single file (a folder, a name on the hub) is written as parquet.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datainf.core.encodable import encodable
from datainf.core.errors import DataError, OptionError
from datainf.core.run_config import DataConfig
from datainf.integrations.data_files import SUFFIXES, long_fields
from datainf.integrations.examples import load_examples


@dataclass(frozen=True)
class Edit:
    """What is written of a data set.

    Attributes:
        keep: Numbers of the rows, in the order in which they are written.
        cells: Column -> number of a row -> what stands there now.
        added: New column -> a value for each row of `keep`.
    """

    keep: Sequence[int]
    cells: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    added: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def changes(self, place: int) -> dict[str, Any]:
        """Give the cells that are changed or added in the row at a place of `keep`."""
        row = self.keep[place]
        changed = {name: at[row] for name, at in self.cells.items() if row in at}
        return changed | {name: values[place] for name, values in self.added.items()}


def suffix_for(data: DataConfig) -> str:
    """Say which ending a file has that keeps the format of the data.

    Args:
        data: Where the rows come from.

    Returns:
        Such as `.tsv`.
    """
    source = Path(data.data).expanduser()
    suffix = source.suffix.lower()
    return suffix if source.is_file() and suffix in SUFFIXES else ".parquet"


def require_other_file(out: Path, inputs: Mapping[str, DataConfig | None]) -> None:
    """Refuse to write over what a run reads.

    Args:
        out: The file that will be written.
        inputs: What it is -> where it lies.

    Raises:
        OptionError: If it is one of the inputs, or lies in the folder of one.
    """
    for what, data in inputs.items():
        if data is None or not data.data:
            continue
        source = Path(data.data).expanduser()
        if not source.exists():
            continue
        within = source.is_dir() and source.resolve() in out.resolve().parents
        if within or (out.exists() and out.samefile(source)):
            raise OptionError(
                f"{out} is the {what} itself; the original is never touched: give "
                "--out another file."
            )


def rewritten(data: DataConfig, edit: Edit) -> bytes:
    """Make the content of a data file.

    Args:
        data: Where the rows come from; its `limit` is not heeded.
        edit: Which rows, and what is changed in them.

    Returns:
        The file, of the format that `suffix_for` names.

    Raises:
        DataError: If a column to be added is there, or a value cannot be written.
    """
    suffix = suffix_for(data)
    source = Path(data.data).expanduser()
    if suffix == ".parquet":
        table = (
            pq.read_table(source)
            if source.is_file()
            else load_examples(DataConfig(data=data.data, split=data.split))
            .with_format("arrow")[:]
        )  # fmt: skip
        return _parquet(table, edit)
    return _WRITERS[suffix](source.read_bytes().decode("utf-8-sig"), edit)


def _refuse_added(names: Sequence[str], edit: Edit) -> None:
    """Refuse to write over a column."""
    there = sorted(set(names) & set(edit.added))
    if there:
        raise DataError(
            f"the data have a column {there[0]!r} already; rename it, so that it is "
            "not written over."
        )


def _jsonl(text: str, edit: Edit) -> bytes:
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    lines = [line for line in lines if line.strip()]
    return "".join(
        _json_line(lines[row], place, edit) + "\n"
        for place, row in enumerate(edit.keep)
    ).encode()


def _json_line(line: str, place: int, edit: Edit) -> str:
    """Leave a line as it is, or write it with other values."""
    if not edit.changes(place):
        return line
    return json.dumps(_record(json.loads(line), place, edit), ensure_ascii=False)


def _record(row: Mapping[str, Any], place: int, edit: Edit) -> Any:
    """Change the values of an object."""
    _refuse_added(list(row), edit)
    return encodable({**row, **edit.changes(place)})


def _json(text: str, edit: Edit) -> bytes:
    if not text.lstrip().startswith("["):
        return _jsonl(text, edit)
    rows = json.loads(text)
    kept = [_record(rows[row], place, edit) for place, row in enumerate(edit.keep)]
    return f"{json.dumps(kept, ensure_ascii=False, indent=2)}\n".encode()


def _csv(text: str, edit: Edit) -> bytes:
    with long_fields():
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    found = io.StringIO(newline="")
    ending = "\r\n" if "\r\n" in text else "\n"
    csv.writer(found, lineterminator=ending).writerows(_cells(rows, edit))
    return found.getvalue().encode()


def _tsv(text: str, edit: Edit) -> bytes:
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    rows = _cells([line.split("\t") for line in lines if line], edit)
    for row in rows:
        for cell in row:
            if {"\t", "\n", "\r"} & set(cell):
                raise DataError(
                    f"{cell!r:.80} cannot stand in a tsv file, which has no writing "
                    "for TABs and line breaks; convert the data to jsonl."
                )
    return "".join("\t".join(row) + ending for row in rows).encode()


def _cells(rows: Sequence[Sequence[str]], edit: Edit) -> list[list[str]]:
    """Choose and change lines of texts, the first of which holds the names."""
    names = list(rows[0])
    _refuse_added(names, edit)
    found = [[*names, *edit.added]]
    for place, row in enumerate(edit.keep):
        changes = edit.changes(place)
        line = dict(zip(names, rows[row + 1], strict=True)) | changes
        found.append([str(line[name]) for name in found[0]])
    return found


def _parquet(table: pa.Table, edit: Edit) -> bytes:
    _refuse_added(table.column_names, edit)
    kept = table.take(pa.array(edit.keep, type=pa.int64()))
    for name, changed in edit.cells.items():
        place = kept.column_names.index(name)
        kind = kept.schema.field(name).type
        values = kept.column(name).to_pylist()
        values = [changed.get(r, v) for r, v in zip(edit.keep, values, strict=True)]
        kept = kept.set_column(place, kept.schema.field(name), pa.array(values, kind))
    for name, values in edit.added.items():
        kept = kept.append_column(name, pa.array(values))
    found = pa.BufferOutputStream()
    pq.write_table(kept, found)
    return found.getvalue().to_pybytes()


_WRITERS: Mapping[str, Callable[[str, Edit], bytes]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
}
