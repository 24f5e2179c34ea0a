"""Search: the training examples that matter most to a query, without scoring all.

For a large store that is asked again and again: one reading a call, nothing of
`[Q, N]`, and the same examples that sorting every score would give, in the same order
(`estimators/search.py`). N training examples, Q queries.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from datainf.core.errors import OptionError
from datainf.core.options import Blocks, Normalize, Order, word
from datainf.core.source import GradientSource
from datainf.estimators.auto import Auto
from datainf.estimators.base import Estimator
from datainf.estimators.search import search_rows
from datainf.estimators.table import build
from datainf.store.reader import GradientStore
from datainf.workflows.score import fitting


def search(  # noqa: PLR0913 - as score
    train: GradientSource,
    queries: GradientSource,
    *,
    k: int = 10,
    order: Order | str = Order.PROPONENTS,
    method: str | Estimator = "datainf",
    curvature: GradientSource | None = None,
    damping: float | str | None = None,
    blocks: Blocks | str | None = None,
    normalize: Normalize | str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """List the training examples that matter most to each query, of very many.

    What `score(...).top(k, order)` lists, with memory for k rows a query instead of all
    scores. A method with a curvature reads that once or more besides: a smaller store
    as `curvature` keeps the time of a query near that of `dot`.

    Args:
        train: Gradients of the training examples, N.
        queries: Gradients of the queries, Q.
        k: How many a query.
        order: `proponents`, `opponents` or `magnitude`.
        method: A name of `datainf.methods()`, or an estimator, that scores whole
            gradients; not `auto`.
        curvature: Gradients that the curvature is made of; `train` when not given.
        damping: As for `score`.
        blocks: As for `score`.
        normalize: As for `score`; not `relatif`.
        **options: Options of the method itself.

    Returns:
        Columns `query`, `rank` (from 1), `train` (index in the training data), `score`
        and, where stored, `text`. Products with x are float64's, exactly those of the
        rows as they are stored.

    Raises:
        OptionError: If k is below 1, or the method's scores are no such products.

    Examples:
        >>> import torch
        >>> from datainf.store.memory import InMemorySource
        >>> train = InMemorySource({"q": torch.tensor([[1.0], [-1.0], [3.0]])})
        >>> found = search(train, InMemorySource({"q": torch.ones(1, 1)}), method="dot")
        >>> found["train"].tolist(), found["score"].tolist()
        ([2, 0, 1], [-3.0, -1.0, 1.0])
    """
    chosen = word(Order, order, "order")
    if k < 1:
        raise OptionError(f"search: k must be at least 1, got {k}.")
    estimator = build(
        method, damping=damping, blocks=blocks, normalize=normalize, options=options
    )
    if isinstance(estimator, Auto):
        raise OptionError(
            "auto chooses by the time that scoring takes, and search does not score; "
            "name a method."
        )
    ground = fitting(train, queries, curvature, estimator)
    found = search_rows(
        estimator.precondition(estimator.fit(ground), queries),
        train,
        k=k,
        order=chosen,
        normalize=word(Normalize, estimator.normalize, "normalize"),
    )
    count, each = found.places.shape
    asked = _named(queries, range(count))
    listed = _named(train, found.places.flatten().tolist())
    table = {
        "query": np.repeat(asked["index"].to_numpy(), each),
        "rank": np.tile(np.arange(1, each + 1), count),
        "train": listed["index"].to_numpy(),
        # 0 rather than −0 for a row that has no part in it.
        "score": 0.0 - found.values.flatten().numpy(),
    }
    if "text" in listed:
        table["text"] = listed["text"].to_numpy()
    return pd.DataFrame(table)


def _named(source: GradientSource, places: Sequence[int]) -> pd.DataFrame:
    """Say which examples some rows are: `index`, and `text` where kept."""
    if isinstance(source, GradientStore):
        return source.examples_at(places)
    table = getattr(source, "examples", None)
    if isinstance(table, pd.DataFrame):
        return table.iloc[list(places)]
    return pd.DataFrame({"index": list(places)})
