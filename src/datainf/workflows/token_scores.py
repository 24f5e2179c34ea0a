"""Token scores: which label tokens of an example, and of a query, carry their score.

An example's gradient is the weighted sum of its label tokens' gradients, so a pair's
score is a sum over either side's tokens (estimators/directions.py):

    I = Σ_t −x_q·∇(w_t ℓ_t) / c_k  over the training example's tokens
      = Σ_t −z_k·∇(w_t ℓ_t) / u_q  over the query's

Cost: the method's solution for the queries and examples of the pairs, and about two
forward passes a side of a pair. Memory: some `_BYTES` of directions at a time.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from datainf.capture.projector import Projector
from datainf.capture.token_products import TokenProducts
from datainf.core.errors import DatainfWarning, OptionError
from datainf.core.options import Order, Output
from datainf.core.records import Scores
from datainf.core.source import GradientSource
from datainf.core.task import Task, TokenTask
from datainf.core.token_scores import Side, TokenRow, TokenScores
from datainf.estimators.base import Estimator
from datainf.estimators.table import METHODS
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.table import as_task
from datainf.store.memory import InMemorySource
from datainf.store.reader import GradientStore
from datainf.workflows.attribute import (
    check_scoring,
    split_options,
    take_fisher,
    wanted_factors,
)
from datainf.workflows.collect import collect_options
from datainf.workflows.pair import Pair, collected
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.score import score

# Directions of both sides that are held at a time.
_BYTES = 2**28
# How far sums may lie from scores, over the sum of the tokens' sizes, untold.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Subjects:
    """What token scores are taken of.

    Attributes:
        model: The model.
        task: Gives losses by token.
        train: The training examples.
        queries: The queries.
        adapter_name: Which adapter; the active one when None.
        parameters: Which of its parameters.
    """

    model: nn.Module
    task: TokenTask
    train: Any
    queries: Any
    adapter_name: str | None = None
    parameters: str = "all"


def token_scores(  # noqa: PLR0913 - as attribute
    model: nn.Module,
    train: Any,
    queries: Any,
    task: Task | Any,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    top: int = 3,
    method: str | Estimator = "datainf",
    cache: str | Path | None = None,
    adapter_name: str | None = None,
    progress: Reporter | None = None,
    **options: Any,
) -> TokenScores:
    """Score pairs of query and training example token by token.

    Args:
        model: As for `attribute`.
        train: As for `attribute`.
        queries: As for `attribute`.
        task: A task with losses by token: `CausalLM`, `Seq2Seq`, `TokenClassification`,
            or one with methods `token_losses` and `token_texts`.
        pairs: (query, training example), numbers of rows in their data; the strongest
            when not given.
        top: Strongest proponents, and opponents, of each query.
        method: As for `attribute`.
        cache: As for `attribute`; gradients that lie there are used.
        adapter_name: As for `attribute`.
        progress: As for `attribute`.
        **options: As for `attribute`.

    Returns:
        A score for each label token of both sides; those of a side sum to the pair's
        score.

    Examples:
        >>> found = token_scores(model, rows, queries, task, top=1)  # doctest: +SKIP
        >>> print(found.show())  # doctest: +SKIP
    """
    collecting, scoring = split_options(options)
    able = require_token_task(as_task(task), collect_options(collecting).output)
    estimator = check_scoring(method, scoring)
    fisher = take_fisher(scoring, estimator, collect_options(collecting))
    subjects = Subjects(
        model,
        able,
        train,
        queries,
        adapter_name,
        str(collecting.get("parameters", "all")),
    )
    with collected(
        model,
        train,
        queries,
        task,
        cache=cache,
        adapter_name=adapter_name,
        progress=progress,
        fisher=fisher,
        **{**collecting, **wanted_factors(estimator)},
    ) as stores:
        scores = score(
            stores.train,
            stores.queries,
            method=estimator,
            curvature=stores.curvature,
        )
        chosen = (
            strongest(scores, top)
            if pairs is None
            else [_places(stores, *pair) for pair in pairs]
        )
        return score_tokens(
            subjects, stores, scores, estimator, chosen, progress or Logged()
        )


def require_token_task(task: Task, output: Output | str) -> TokenTask:
    """Refuse a task whose loss is no sum over tokens.

    Args:
        task: The task.
        output: What is differentiated.

    Returns:
        The same.

    Raises:
        OptionError: If it has no losses by token, or something else is
            differentiated.
    """
    if output != Output.LOSS:
        raise OptionError(
            f"token scores are parts of the loss, got output={str(output)!r}; use "
            "output='loss'."
        )
    if isinstance(task, TokenTask):
        return task
    raise OptionError(
        f"token scores need a loss for each token, and the task "
        f"{task.settings().get('name')} has one for each example; use causal-lm, "
        "seq2seq or token-classification, or a task of your own with the methods "
        "token_losses and token_texts."
    )


def strongest(scores: Scores, top: int) -> list[tuple[int, int]]:
    """Choose the pairs of the largest scores on both sides of zero.

    Args:
        scores: All scores.
        top: Proponents, and opponents, of each query.

    Returns:
        Places (query, training example) in the scores, query by query.
    """
    places = pd.DataFrame({"index": range(scores.values.shape[1])})
    bare = scores.with_rows(train=places)
    pairs = []
    for q, row in enumerate(scores.values):
        for order in (Order.PROPONENTS, Order.OPPONENTS):
            listed = bare.top(top, order, query=q)["train"]
            right = row < 0 if order is Order.PROPONENTS else row > 0
            pairs += [(q, int(k)) for k in listed if right[k]]
    return pairs


def score_tokens(
    subjects: Subjects,
    stores: Pair,
    scores: Scores,
    estimator: Estimator,
    pairs: Sequence[tuple[int, int]],
    reporter: Reporter,
) -> TokenScores:
    """Score pairs token by token, from collected gradients.

    Args:
        subjects: Model, task and examples.
        stores: The gradients.
        scores: What `estimator` makes of them, to compare sums with.
        estimator: The method.
        pairs: Places (query, training example) in the stores.
        reporter: Shows how far it is.

    Returns:
        Both sides of every pair.
    """
    adapter = adapter_of(subjects.model, subjects.adapter_name, subjects.parameters)
    estimator = _chosen(estimator, scores)
    curvature = stores.train if stores.curvature is None else stores.curvature
    state = estimator.fit(curvature)
    room = max(1, _BYTES // (8 * adapter.layout.total))
    options = stores.train.manifest.options
    projector = Projector(adapter.layout, options.projection)
    rows: list[TokenRow] = []
    wanted: list[float] = []
    with (
        TokenProducts(subjects.model, adapter, subjects.task) as products,
        reporter.stage("token scores", 2 * len(pairs)) as advance,
    ):
        for part in _portions(pairs, room):
            asked, listed = (sorted({pair[i] for pair in part}) for i in (0, 1))
            found = estimator.directions(
                state, taken(stores.train, listed), taken(stores.queries, asked)
            )
            for q, k in part:
                at_q, at_k = asked.index(q), listed.index(k)
                sides: dict[Side, tuple[Any, int, Mapping[str, Tensor]]] = {
                    Side.TRAIN: (
                        subjects.train,
                        int(stores.train.index[k]),
                        found.for_candidate(at_q, at_k),
                    ),
                    Side.QUERY: (
                        subjects.queries,
                        int(stores.queries.index[q]),
                        found.for_query(at_q, at_k),
                    ),
                }
                for side, (data, index, direction) in sides.items():
                    example = data[index]
                    batch = subjects.task.collate([example])
                    whole = projector.lifted(direction)
                    along, weights = products.along(batch, whole)
                    values = torch.where(weights == 0, torch.nan, -along)
                    row = TokenRow(
                        int(stores.queries.index[q]),
                        int(stores.train.index[k]),
                        side,
                        tuple(subjects.task.token_texts(example)),
                        values.numpy(),
                    )
                    rows.append(row)
                    wanted.append(float(scores.values[q, k]))
                    advance(1)
    _tell_gap(rows, wanted)
    return TokenScores.of(rows)


def _chosen(estimator: Estimator, scores: Scores) -> Estimator:
    """Give the method that made the scores, where `auto` chose it."""
    made = scores.provenance
    if made.method == estimator.name:
        return estimator
    kind = METHODS[made.method].cls
    known = {option.name for option in fields(kind)}
    return kind(**{k: v for k, v in made.options.items() if k in known})


def taken(source: GradientSource, places: Sequence[int]) -> InMemorySource:
    """Read some rows of a source into memory.

    Args:
        source: The rows.
        places: Which, rising.

    Returns:
        A source of them alone.
    """
    wanted = np.asarray(places)
    parts: dict[str, list[Tensor]] = {name: [] for name in source.layout.names}
    for part in source.rows():
        here = wanted[(wanted >= part.start) & (wanted < part.start + len(part))]
        for name, rows in part.gradients.items():
            parts[name].append(rows[torch.from_numpy(here - part.start)])
    gathered = {name: torch.cat(found) for name, found in parts.items()}
    return InMemorySource(gathered, source.layout)


def _places(stores: Pair, query: int, train: int) -> tuple[int, int]:
    """Find rows of the data in the stores."""
    return _place(stores.queries, query, "query"), _place(
        stores.train, train, "training example"
    )


def _place(store: GradientStore, index: int, what: str) -> int:
    found = np.flatnonzero(np.asarray(store.index) == index)
    if not len(found):
        raise OptionError(
            f"pairs: {what} {index} is not among the {len(store)} that have scores; "
            "give numbers of rows in the data, from 0."
        )
    return int(found[0])


def _portions(
    pairs: Sequence[tuple[int, int]], room: int
) -> Iterator[list[tuple[int, int]]]:
    """Cut pairs so that both sides of a portion have at most `room` rows together."""
    part: list[tuple[int, int]] = []
    for pair in pairs:
        more = [*part, pair]
        rows = len({q for q, _ in more}) + len({k for _, k in more})
        if part and rows > room:
            yield part
            more = [pair]
        part = more
    if part:
        yield part


def _tell_gap(rows: Sequence[TokenRow], wanted: Sequence[float]) -> None:
    """Warn of the sum that is farthest from its pair's score, over its terms' sizes."""
    gaps = [
        abs(row.total - score) / max(float(np.nansum(np.abs(row.scores))), abs(score))
        if score or row.total
        else 0.0
        for row, score in zip(rows, wanted, strict=True)
    ]
    worst = max(range(len(gaps)), key=gaps.__getitem__, default=None)
    if worst is None or gaps[worst] <= _TOLERANCE:
        return
    row = rows[worst]
    warnings.warn(
        f"token scores of query {row.query} and training example {row.train} sum to "
        f"{row.total:.4g} by the {row.side}'s tokens, and their score is "
        f"{wanted[worst]:.4g}: the stored gradients are rounded, the model computes in "
        "half precision, or the method did not solve its system; collect with "
        "dtype='fp32' and precision='float32'.",
        DatainfWarning,
        stacklevel=3,
    )
