"""How many processes share the rows, and how, changes no score."""

from dataclasses import replace

import numpy as np
import pytest

from datainf.core.errors import OptionError
from datainf.estimators.table import METHODS, build
from datainf.workflows.whole_scores import whole_scores
from tests.estimators.gradient_sets import (
    GROUPING,
    N,
    Q,
    checkpoint_of,
    random_gradients,
    source_of,
)
from tests.shares import SharedRows, Threads, dealt

# Uneven, one process without a row.
EDGES = (3, 3, 4)
# A method that stops at a tolerance may stop elsewhere: sums are in another order.
CLOSE = {"cg": {"options": {"tolerance": 1e-13}}}
SHARED = [name for name in METHODS if name != "less"]


def assert_same(method, edges, *, curvature=None, keep_blocks=False, **options):
    """Score whole and in shares, with the candidates as curvature or other rows."""
    whole = checkpoint_of(random_gradients(N, 1), random_gradients(Q, 2))
    if curvature is not None:
        whole = replace(whole, curvature=curvature)
    estimator = build(method, **{**CLOSE.get(method, {}), **options})
    expected = estimator.score_at(whole, keep_blocks=keep_blocks)
    ranks = len(edges) + 1
    threads = Threads(ranks)
    rows = dealt(N, edges)
    cut = None if curvature is None else dealt(len(curvature), edges)

    def work(rank):
        share = threads.share(rank, rows[rank])
        mine = replace(whole, train=SharedRows(whole.train, share))
        if cut is not None:
            other = SharedRows(curvature, threads.share(rank, cut[rank]))
            mine = replace(mine, curvature=other)
        scores = estimator.score_at(mine, keep_blocks=keep_blocks)
        return whole_scores(scores, share)

    found = threads.run(work)
    scale = np.abs(expected.values).max()
    for rank, mine in enumerate(found):
        own = rows[rank] if rank else range(N)
        here = slice(own.start, own.stop)
        close = {"rtol": 0, "atol": 1e-10 * scale}
        np.testing.assert_allclose(mine.values, expected.values[:, here], **close)
        np.testing.assert_allclose(mine.residual, expected.residual, atol=1e-10)
        if expected.per_block is not None:
            right = expected.per_block[:, :, here]
            np.testing.assert_allclose(mine.per_block, right, **close)
        said = mine.provenance.notes
        assert len(said) == len(expected.provenance.notes), said


@pytest.mark.parametrize("method", SHARED)
def test_scores_do_not_depend_on_who_reads_which_rows(method):
    assert_same(method, EDGES, blocks="module" if method in GROUPING else None)


@pytest.mark.parametrize("method", ["datainf", "exact"])
def test_nor_where_each_process_has_one_row(method):
    assert_same(method, range(1, N))


@pytest.mark.parametrize("method", ["datainf", "exact", "cg", "trak"])
def test_nor_where_the_curvature_is_made_of_other_rows(method):
    assert_same(method, (2, 5), curvature=source_of(random_gradients(13, 3)))


@pytest.mark.parametrize("normalize", ["example", "block", "relatif"])
def test_nor_where_gradients_or_scores_are_divided(normalize):
    assert_same("datainf", (2, 2), normalize=normalize)


def test_nor_where_the_damping_is_judged_by_held_out_rows():
    assert_same(
        "exact", (3, 4), damping="auto", curvature=source_of(random_gradients(11, 3))
    )


def test_nor_where_the_scores_of_every_block_are_kept():
    assert_same("exact", (2, 6), keep_blocks=True)


def test_auto_chooses_alike_everywhere():
    assert_same("auto", (3,), options={"max_memory": "1GiB"})


def test_adam_steps_are_refused_in_shares():
    whole = checkpoint_of(random_gradients(N, 1), random_gradients(Q, 2))
    share = Threads(2).share(0, range(3))
    message = "Adam steps are taken by one process; leave the other ranks out."
    with pytest.raises(OptionError, match=f"^{message}$"):
        build("less").score_at(replace(whole, train=SharedRows(whole.train, share)))
