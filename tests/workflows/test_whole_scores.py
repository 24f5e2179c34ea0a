"""Columns of several processes as one table."""

import numpy as np
import pytest

from datainf.core.records import Provenance, Scores
from datainf.core.share import Share
from datainf.workflows.whole_scores import whole_scores
from tests.shares import Threads

Q, N, GROUPS = 3, 7, ("a", "b")
BLOCKS = np.arange(len(GROUPS) * Q * N, dtype=float).reshape(len(GROUPS), Q, N)


def scores(columns, per_block):
    values = BLOCKS.sum(axis=0)[:, columns]
    solved = np.zeros((Q, len(GROUPS)))
    kept = BLOCKS[:, :, columns] if per_block else None
    return Scores(values, GROUPS, solved, solved, Provenance("dot"), per_block=kept)


@pytest.mark.parametrize("per_block", [True, False])
def test_the_leader_ends_with_all_columns_and_the_others_with_their_own(per_block):
    threads, rows = Threads(3), [range(4), range(4, 4), range(4, N)]

    def work(rank):
        share = threads.share(rank, rows[rank])
        return whole_scores(scores(share.columns, per_block), share)

    for rank, found in enumerate(threads.run(work)):
        own = rows[rank] if rank else range(N)
        right = scores(slice(own.start, own.stop), per_block)
        np.testing.assert_array_equal(found.values, right.values)
        assert list(found.train["index"]) == list(range(len(own)))
        if per_block:
            np.testing.assert_array_equal(found.per_block, right.per_block)


def test_one_process_alone_has_them_already():
    mine = scores(slice(None), per_block=False)
    assert whole_scores(mine, Share(range(N))) is mine
