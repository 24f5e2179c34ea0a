"""What users, files and later versions build on changes knowingly or not at all.

Stores have laws of their own: `test_store_format.py`.
"""

import json

import numpy as np
import pandas as pd
import pytest

from datainf.core.records import Scores
from datainf.workflows.run_file import read_run, write_run
from tests.golden.contracts import frozen
from tests.golden.make_golden import (
    CONTRACTS,
    RUN,
    RUN_VALUE,
    SCORES,
    SCORES_VALUE,
)

GOLDEN = json.loads(CONTRACTS.read_text(encoding="utf-8"))


def test_every_part_of_the_contracts_is_in_the_golden_file():
    assert GOLDEN.keys() == frozen().keys()


@pytest.mark.parametrize("part", GOLDEN)
def test_a_contract_changes_with_its_golden_file_or_not_at_all(part):
    assert frozen()[part] == GOLDEN[part]


def test_a_run_written_today_is_the_golden_one(tmp_path):
    assert write_run(RUN_VALUE, tmp_path / "run.yaml").read_bytes() == RUN.read_bytes()


def test_the_golden_run_is_read_as_it_was_meant():
    assert read_run(RUN) == RUN_VALUE


def test_the_golden_scores_are_read_as_they_were_meant():
    found = Scores.load(SCORES)
    for name in ("values", "residual", "scale"):
        mine, golden = getattr(SCORES_VALUE, name), getattr(found, name)
        assert mine.dtype == golden.dtype
        np.testing.assert_array_equal(mine, golden)
    assert found.groups == SCORES_VALUE.groups
    assert found.provenance == SCORES_VALUE.provenance
    pd.testing.assert_frame_equal(found.train, SCORES_VALUE.train)
    pd.testing.assert_frame_equal(found.queries, SCORES_VALUE.queries)


def test_scores_written_today_are_the_golden_ones(tmp_path):
    SCORES_VALUE.save(tmp_path)
    # The bytes of parquet files belong to the parquet library's version.
    for name in ("scores.json", "values.safetensors"):
        assert (tmp_path / name).read_bytes() == (SCORES / name).read_bytes(), name
