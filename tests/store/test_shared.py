"""A store of which each of several processes reads whole shards."""

from typing import Any

import numpy as np
import pytest
import torch

from datainf.core.share import Share
from datainf.core.source import GradientSource
from datainf.store.shared import SharedStore, rows_of_rank
from tests.store.stores import SHARD_ROWS, N, write_store

RANKS = (1, 2, 3, 5)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Any:
    return write_store(tmp_path_factory.mktemp("shared") / "store")


def shared(store, rank, ranks) -> Any:
    rows = rows_of_rank(store.manifest, rank, ranks)
    return SharedStore(store, Share(rows, rank, ranks))


@pytest.mark.parametrize("ranks", RANKS)
def test_every_row_is_dealt_once_in_whole_shards(store, ranks):
    dealt = [rows_of_rank(store.manifest, rank, ranks) for rank in range(ranks)]
    assert [row for rows in dealt for row in rows] == list(range(N))
    assert all(rows.start % SHARD_ROWS == 0 for rows in dealt if rows)


@pytest.mark.parametrize("ranks", RANKS)
def test_the_rows_of_all_processes_are_those_of_the_store(store, ranks):
    for block in store.layout.names:
        parts = [
            (part.start, part.gradients[block])
            for rank in range(ranks)
            for part in shared(store, rank, ranks).rows([block], size=2)
        ]
        place = 0
        for start, rows in parts:
            assert start == place
            place += len(rows)
        whole = torch.cat([part.gradients[block] for part in store.rows([block])])
        assert torch.equal(torch.cat([rows for _, rows in parts]), whole)


def test_shards_of_others_are_not_opened(tmp_path):
    mine = shared(write_store(tmp_path / "store"), 0, 3)
    for path in sorted(mine.whole.path.glob("shard-*"))[1:]:
        path.unlink()
    assert sum(len(part) for part in mine.rows([])) == SHARD_ROWS == len(mine.losses)


def test_it_says_of_itself_what_the_store_says(store):
    first, last, none = shared(store, 0, 2), shared(store, 1, 2), shared(store, 0, 5)
    assert isinstance(shared(store, 2, 3), GradientSource)
    assert (len(last), last.layout, last.identity) == (N, store.layout, store.identity)
    assert (last.excluded, last.factors(store.layout.names[0])) == ([], None)
    np.testing.assert_array_equal(last.losses, store.losses[SHARD_ROWS:])
    assert len(none.losses) == 0
    # The process that leads ends with every row's scores, others with their own.
    assert first.examples.equals(store.examples)
    own = store.examples.iloc[SHARD_ROWS:].reset_index(drop=True)
    assert last.examples.equals(own)
