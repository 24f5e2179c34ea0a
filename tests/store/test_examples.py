"""The table of examples: its columns, its checks, its reading back."""

import re

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datainf.core.errors import DataError, StoreError
from datainf.store.atomic import write_whole
from datainf.store.examples import as_table, read_examples, write_examples
from tests.store.stores import N, examples


@pytest.mark.parametrize("text", [True, False])
def test_a_table_is_read_back_as_it_was(tmp_path, text):
    given = examples(text)
    written = write_examples(tmp_path, as_table(given, store_text=text))
    table = read_examples(tmp_path, rows=N, sha256=written.sha256, store_text=text)
    pd.testing.assert_frame_equal(table.to_pandas(), given, check_dtype=False)
    # Nothing of pandas is in the file, so that its versions do not show.
    assert table.schema.metadata is None


def test_half_a_surrogate_pair_becomes_a_question_mark():
    given = examples().assign(text=pd.Series(["a\ud800b"] * N, dtype=object))
    assert as_table(given, store_text=True)["text"][0].as_py() == "a?b"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            examples(text=False),
            "the table of examples must have the columns index, hash, tokens, text, "
            "got index, hash, tokens.",
        ),
        (examples()[:0], "there are no examples to collect; give at least one."),
        (
            examples().assign(index=[0, 1, 1, 2, 3, 4, 5]),
            "the index of examples must start at 0 or above and rise from row to row.",
        ),
        (
            examples().assign(index=range(-1, 6)),
            "the index of examples must start at 0 or above and rise from row to row.",
        ),
    ],
)
def test_a_table_of_another_form_is_refused(given, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        as_table(given, store_text=True)


def test_an_altered_file_is_refused(tmp_path):
    write_examples(tmp_path, as_table(examples(), store_text=True))
    message = (
        f"{tmp_path / 'examples.parquet'} is altered: its sha256 is not the "
        "manifest's; collect the store again."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        read_examples(tmp_path, rows=N, sha256="0" * 64, store_text=True)


def test_a_file_of_other_rows_or_columns_is_refused(tmp_path):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"index": [1, 2]}), sink)
    data = sink.getvalue().to_pybytes()
    written = write_whole(tmp_path / "examples.parquet", [data])
    message = (
        f"{tmp_path / 'examples.parquet'} must hold 7 rows of index int64, hash "
        "string, tokens int64, got 2 rows of index int64; collect the store again."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        read_examples(tmp_path, rows=N, sha256=written.sha256, store_text=False)
