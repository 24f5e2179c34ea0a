"""Two and four processes score as one does."""

from typing import Any

import numpy as np
import pytest

from datainf.core.records import Scores
from datainf.store.reader import open_store
from datainf.workflows.collect import collect
from datainf.workflows.score import score
from datainf.workflows.score_together import score_together
from tests.cases import TokenTask, decoder, token_rows
from tests.ranks import FINE, in_ranks
from tests.workflows.collecting import ROWS

MANY = [*ROWS, *token_rows("decoder", seed=1), *token_rows("decoder", seed=2)[:3]]
# What one process and several are compared by; the rest is laws/test_shares.
JOBS: dict[str, dict[str, Any]] = {
    "datainf": {"method": "datainf"},
    "exact": {"method": "exact", "keep_blocks": True},
    "exact, one block": {"method": "exact", "blocks": "all"},
    "cg": {"method": "cg", "blocks": "layer", "tolerance": 1e-9, "agreement": False},
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    cut: dict[str, Any] = {"shard_rows": 5, "batch_tokens": 64}
    collect(decoder(), MANY, TokenTask(), out=folder / "train", **cut)
    collect(decoder(), ROWS[:3], TokenTask(), out=folder / "queries", **cut)
    collect(decoder(), MANY[:11], TokenTask(), out=folder / "other", **cut)
    return folder


def opened(folder):
    return open_store(folder / "train"), open_store(folder / "queries")


@pytest.mark.parametrize("ranks", [2, 4])
def test_scores_of_several_processes_are_those_of_one(stores, tmp_path, ranks):
    def work(ranks):
        for name, options in JOBS.items():
            train, queries = opened(stores)
            found = score_together(train, queries, ranks=ranks, **options)
            if ranks.leads:
                found.save(tmp_path / name)
        return found.values.shape[1]

    ended = in_ranks(ranks, work, tmp_path / "ranks")
    assert [each.error for each in ended] == [FINE] * ranks
    assert sum(each.value for each in ended[1:]) < len(MANY) == ended[0].value
    for name, options in JOBS.items():
        train, queries = opened(stores)
        right, found = score(train, queries, **options), Scores.load(tmp_path / name)
        scale = np.abs(right.values).max()
        np.testing.assert_allclose(
            found.values, right.values, rtol=0, atol=1e-6 * scale, err_msg=name
        )
        np.testing.assert_allclose(found.agreement, right.agreement, atol=1e-6)
        assert found.train.equals(right.train), name
        assert found.provenance.sources == right.provenance.sources


def test_the_curvature_may_be_made_of_another_store(stores, tmp_path):
    def work(ranks):
        train, queries = opened(stores)
        other = open_store(stores / "other")
        found = score_together(train, queries, ranks=ranks, curvature=other)
        return found.values.tolist()

    train, queries = opened(stores)
    right = score(train, queries, curvature=open_store(stores / "other")).values
    first, second = in_ranks(2, work, tmp_path / "ranks")
    scale = np.abs(right).max()
    np.testing.assert_allclose(first.value, right, rtol=0, atol=1e-6 * scale)
    # 17 rows in shards of 5: the other process has the last two shards.
    np.testing.assert_allclose(second.value, right[:, 10:], rtol=0, atol=1e-6 * scale)
