"""Score with several processes: each reads whole shards, sums `[Q, d]` go between them.

N training examples, Q queries, d parameters of a curvature group. Whatever a method
sums over rows, each process sums over the shards it owns, and these sums are added up
(`core.share`); `exact` adds up its own square matrices too. Queries are few and read by
all. At the end the process that leads has the scores of all N.
"""

from typing import Any

from datainf.core.records import Scores
from datainf.integrations.ranks import Ranks
from datainf.store.reader import GradientStore
from datainf.store.shared import SharedStore, rows_of_rank
from datainf.workflows.score import score


def score_together(
    train: GradientStore,
    queries: GradientStore,
    *,
    ranks: Ranks,
    curvature: GradientStore | None = None,
    **options: Any,
) -> Scores:
    """Score as `score` does, this process its part of the training examples.

    Args:
        train: Gradients of the training examples; only own shards are read.
        queries: Gradients of the queries.
        ranks: The processes.
        curvature: Gradients that the curvature is made of; `train` when not given.
        **options: As for `score`.

    Returns:
        In the process that leads, the scores; in the others those of their own rows.
    """
    shared = None if curvature is None else _shared(curvature, ranks)
    return score(_shared(train, ranks), queries, curvature=shared, **options)


def _shared(store: GradientStore, ranks: Ranks) -> SharedStore:
    """Give the store with this process's share of it."""
    rows = rows_of_rank(store.manifest, ranks.here.rank, ranks.count)
    return SharedStore(store, ranks.share(rows))
