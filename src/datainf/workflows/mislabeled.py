"""Which training rows are likely wrong: influence on the mean loss of trusted data.

    suspicion of row k = I(z_k -> mean loss over the validation examples)

Positive: giving the row more weight raises the validation loss, as a wrong label does.
Without trusted data the row's self-influence takes its place, and a note says so: how
much the model had to bend for this row alone, as it must for a wrong label, but also
for a rare or hard one.

Where the wrong rows are known (flipped on purpose, or by a column with the right
labels), the ranking is measured: ROC AUC with a 95 % bootstrap interval, precision
among the first k.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from datainf.core.encodable import encodable
from datainf.core.errors import OptionError
from datainf.core.options import Output
from datainf.core.records import Scores
from datainf.core.task import Task
from datainf.estimators.base import Estimator
from datainf.reports.suspects import reasons
from datainf.store.reader import GradientStore
from datainf.workflows.attribute import (
    check_scoring,
    split_options,
    take_fisher,
    wanted_factors,
)
from datainf.workflows.checkpoints import (
    Places,
    Several,
    chosen_checkpoints,
    gathered,
)
from datainf.workflows.collect import collect_options
from datainf.workflows.data import label_column
from datainf.workflows.mean import MeanSource
from datainf.workflows.measure import measure
from datainf.workflows.pair import Pair, collected_train
from datainf.workflows.progress import Reporter
from datainf.workflows.score import score
from datainf.workflows.self_influence import self_influence

# Rows of the ranking that a report shows.
SHOWN = 30


@dataclass(frozen=True)
class Suspects:
    """Training rows by how likely they are wrong.

    Attributes:
        ranking: One row a training example, most suspicious first: `rank`, `index`,
            `suspicion`, `label`, `wrong` where it is known, `text` where it was kept.
        scores: The influences themselves, of one query: the mean validation loss, or
            each row's own loss.
        measured: How well known wrong rows were found; empty when none are known.
    """

    ranking: pd.DataFrame
    scores: Scores
    measured: Mapping[str, float] = field(default_factory=dict)


def mislabeled(  # noqa: PLR0913 - as attribute
    model: nn.Module,
    train: Any,
    validation: Any,
    task: Task,
    *,
    method: str | Estimator = "datainf",
    cache: str | Path | None = None,
    wrong: NDArray[np.bool_] | None = None,
    checkpoints: Places | None = None,
    checkpoint_limit: int | None = None,
    progress: Reporter | None = None,
    **options: Any,
) -> Suspects:
    """Rank training rows by how much they hurt on trusted examples.

    Args:
        model: A PEFT model, on any device.
        train: The examples it was trained on.
        validation: Examples whose labels can be trusted; None to rank by
            self-influence.
        task: What the loss of an example is.
        method: A name of `datainf.methods()`, or an estimator.
        cache: Folder for the gradient stores; a temporary one when not given.
        wrong: Which rows are known to be wrong, to measure the ranking.
        checkpoints: As for `attribute`.
        checkpoint_limit: As for `attribute`.
        progress: Told the coverage, warnings and how far it is.
        **options: As for `attribute`.

    Returns:
        The ranking, the scores and, with `wrong`, how good the ranking is.

    Raises:
        OptionError: If `wrong` is of other rows, or agreement or checkpoints are asked
            for without validation data.
    """
    if wrong is not None and len(wrong) != len(train):
        raise OptionError(
            f"wrong must say of each of the {len(train)} training rows whether it is "
            f"known to be wrong, got {len(wrong)} flags."
        )
    collecting, scoring = split_options(options)
    estimator = check_scoring(method, scoring)
    if validation is None and estimator.needs_moments:
        raise OptionError(
            f"{estimator.name} ranks by influence on trusted rows, and has no "
            "self-influence; give validation data (--validation), or choose another "
            "method."
        )
    saved = chosen_checkpoints(estimator, checkpoints, checkpoint_limit)
    fisher = take_fisher(
        scoring, estimator, collect_options(collecting), over=saved is not None
    )
    if validation is None and saved is not None:
        raise OptionError(
            "self-influence is that of one state of the adapter; give validation data, "
            "or leave checkpoints out."
        )
    collecting |= wanted_factors(estimator)
    if validation is None and scoring.get("agreement"):
        raise OptionError(
            "agreement compares the rankings of queries, and self-influence has none; "
            "give validation data, or leave agreement out."
        )
    shared = {"cache": cache, "progress": progress, "fisher": fisher, **collecting}
    if validation is None:
        with collected_train(model, train, task, **shared) as (store, curvature):
            scoring["curvature"] = curvature
            scores = _without_trusted_data(
                store, method, scoring, follows_training=estimator.follows_training
            )
            losses, index = _losses(store), store.index
        suspicion = -scores.values[0]
    else:
        with gathered(
            model, train, validation, task, saved, estimator, **shared
        ) as found:
            scores = score(**_on_average(found), method=method, **scoring)
            losses, index = _losses(found.train), found.train.index
        suspicion = scores.values[0]
    # Rows that the store leaves out have neither score nor rank.
    wrong = None if wrong is None else wrong[index]
    examples = [train[int(i)] for i in index]
    return Suspects(
        ranking=rank(suspicion, scores.train, examples, task, wrong),
        scores=scores,
        measured={} if wrong is None else measure(suspicion, wrong, losses),
    )


def _on_average(found: Pair | Several) -> dict[str, Any]:
    """Give what `score` takes, all queries as one."""
    if isinstance(found, Pair):
        return {**found.sources, "queries": MeanSource(found.queries)}
    return {
        "train": [
            replace(one, queries=MeanSource(one.queries)) for one in found.checkpoints
        ]
    }


def _losses(store: GradientStore) -> NDArray[np.floating]:
    """Give what rises with the loss; a margin falls where it does."""
    margin = store.identity.output["name"] == Output.MARGIN
    return -store.losses if margin else store.losses


def _without_trusted_data(
    store: GradientStore,
    method: str | Estimator,
    scoring: Mapping[str, Any],
    *,
    follows_training: bool,
) -> Scores:
    """Score every row for itself, and say so."""
    own = {name: value for name, value in scoring.items() if name != "agreement"}
    scores = self_influence(store, method=method, **own)
    last = (
        f" {scores.provenance.method} would follow training over its checkpoints; "
        "self-influence is that of the last state alone."
    )
    note = (
        "no validation data: rows are ranked by self-influence, which is large for "
        "wrong rows and for rare or hard ones; trusted examples (--validation) tell "
        "them apart." + (last if follows_training else "")
    )
    made = scores.provenance
    return replace(scores, provenance=replace(made, notes=(note, *made.notes)))


def explained(found: Suspects, count: int = SHOWN) -> pd.DataFrame:
    """Give the most suspicious rows with reasons that a person can check.

    Args:
        found: The ranking and its scores.
        count: How many rows.

    Returns:
        The head of the ranking, with `why` where there is anything to say.
    """
    table = found.ranking.head(count)
    index = found.scores.train["index"].to_numpy()
    places = np.argsort(index, kind="stable")
    places = places[np.searchsorted(index[places], table["index"].to_numpy())]
    why = reasons(found.scores, places)
    if not any(why):
        return table
    last = len(table.columns) - ("text" in table)
    return pd.concat(
        [
            table.iloc[:, :last],
            pd.DataFrame({"why": why}, index=table.index),
            table.iloc[:, last:],
        ],
        axis=1,
    )


def rank(
    suspicion: NDArray[np.floating],
    known: pd.DataFrame,
    examples: list[Any],
    task: Task,
    wrong: NDArray[np.bool_] | None,
) -> pd.DataFrame:
    """Order training rows by suspicion.

    Args:
        suspicion: One number a row, the largest most suspicious.
        known: Their `index` in the training data, and their `text` where it was kept.
        examples: The training rows that have scores.
        task: Says which column holds the label.
        wrong: Which of them are known to be wrong.

    Returns:
        One row an example, most suspicious first; ties keep the data's order.
    """
    column = label_column(task)
    order = np.argsort(-suspicion, kind="stable")
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1),
            "index": known["index"].to_numpy()[order],
            "suspicion": suspicion[order],
        }
    )
    if all(column in example for example in examples):
        table["label"] = [encodable(examples[i][column]) for i in order]
    if wrong is not None:
        table["wrong"] = wrong[order]
    if "text" in known:
        table["text"] = known["text"].to_numpy()[order]
    return table
