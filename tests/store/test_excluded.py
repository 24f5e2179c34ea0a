"""Rows that are left out: written into coverage, read back, taken out of a table."""

import re

import pyarrow as pa
import pytest

from datainf.core.errors import NonFiniteError, StoreError
from datainf.store.excluded import (
    Excluded,
    excluded_in,
    parameters_in,
    require_skipping,
    said,
    without,
)

ROWS = [Excluded(7, "h7", "its loss is inf"), Excluded(3, "h3", "its loss is nan")]
PARAMETERS = [{"block": "a", "path": "looped"}, "free text", ["a", "list"]]
TABLE = pa.table({"index": [1, 3, 7], "hash": ["h1", "h3", "mended"]})


def test_they_stand_in_coverage_beside_the_parameters():
    coverage = [*PARAMETERS, *(row.to_dict() for row in ROWS)]
    assert excluded_in(coverage) == sorted(ROWS)
    assert parameters_in(coverage) == PARAMETERS


def test_a_row_of_another_hash_stays():
    assert without(TABLE, ROWS)["index"].to_pylist() == [1, 7]
    assert without(TABLE, []) is TABLE


def test_a_table_of_which_nothing_is_left_is_refused():
    message = (
        "none of 1 examples is left: of each the loss or a gradient is NaN or "
        "infinite (example 3: its loss is nan); check the model's weights and number "
        "format."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        without(TABLE.slice(1, 1), ROWS)


def test_they_are_counted_and_the_first_are_named():
    assert said(ROWS[:1]) == "1 example (7: its loss is inf)"
    many = [Excluded(place, "h", "x") for place in range(7)]
    assert said(many) == "7 examples (0: x; 1: x; 2: x; 3: x; 4: x; and 2 more)"


def test_who_wants_every_row_is_refused():
    require_skipping("runs/a", [])
    message = (
        "runs/a leaves out 1 example (7: its loss is inf); give on_nonfinite='skip' "
        "(--on-nonfinite skip) to use it without them, or choose another folder."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        require_skipping("runs/a", ROWS[:1])
