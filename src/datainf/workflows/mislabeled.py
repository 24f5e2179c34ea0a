"""Which training rows are likely wrong: influence on the mean loss of trusted data.

    suspicion of row k = I(z_k -> mean loss over the validation examples)

Positive: giving the row more weight raises the validation loss, as a wrong label does.
Where the wrong rows are known (flipped on purpose, or by a column with the right
labels), the ranking is measured: ROC AUC with a 95 % bootstrap interval, precision
among the first k.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from datainf.core.encodable import encodable
from datainf.core.errors import OptionError
from datainf.core.records import Scores
from datainf.core.task import Task
from datainf.estimators.base import Estimator
from datainf.workflows.attribute import (
    check_scoring,
    collected,
    split_options,
    wanted_factors,
)
from datainf.workflows.data import label_column
from datainf.workflows.mean import MeanSource
from datainf.workflows.measure import measure
from datainf.workflows.progress import Reporter
from datainf.workflows.score import score


@dataclass(frozen=True)
class Suspects:
    """Training rows by how likely they are wrong.

    Attributes:
        ranking: One row a training example, most suspicious first: `rank`, `index`,
            `suspicion`, `label`, `wrong` where it is known, `text` where it was kept.
        scores: The influences themselves, of one query: the mean validation loss.
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
    progress: Reporter | None = None,
    **options: Any,
) -> Suspects:
    """Rank training rows by how much they hurt on trusted examples.

    Args:
        model: A PEFT model, on any device.
        train: The examples it was trained on.
        validation: Examples whose labels can be trusted.
        task: What the loss of an example is.
        method: A name of `datainf.methods()`, or an estimator.
        cache: Folder for the gradient stores; a temporary one when not given.
        wrong: Which rows are known to be wrong, to measure the ranking.
        progress: Told the coverage, warnings and how far it is.
        **options: As for `attribute`.

    Returns:
        The ranking, the scores and, with `wrong`, how good the ranking is.

    Raises:
        OptionError: If there is no validation data, or `wrong` is of other rows.
    """
    if validation is None:
        raise OptionError("self-influence is not in this version; give --validation.")
    if wrong is not None and len(wrong) != len(train):
        raise OptionError(
            f"wrong must say of each of the {len(train)} training rows whether it is "
            f"known to be wrong, got {len(wrong)} flags."
        )
    collecting, scoring = split_options(options)
    check_scoring(method, scoring)
    collecting |= wanted_factors(method)
    with collected(
        model, train, validation, task, cache=cache, progress=progress, **collecting
    ) as pair:
        scores = score(pair.train, MeanSource(pair.queries), method=method, **scoring)
        losses, index = pair.train.losses, pair.train.index
    # Rows that the store leaves out have neither score nor rank.
    wrong = None if wrong is None else wrong[index]
    return Suspects(
        ranking=rank(scores, [train[int(i)] for i in index], task, wrong),
        scores=scores,
        measured={} if wrong is None else measure(scores.values[0], wrong, losses),
    )


def rank(
    scores: Scores,
    examples: list[Any],
    task: Task,
    wrong: NDArray[np.bool_] | None,
) -> pd.DataFrame:
    """Order training rows by suspicion.

    Args:
        scores: Influences on one query; the first row is used.
        examples: The training rows that have scores.
        task: Says which column holds the label.
        wrong: Which of them are known to be wrong.

    Returns:
        One row an example, most suspicious first; ties keep the data's order.
    """
    column = label_column(task)
    suspicion = scores.values[0]
    order = np.argsort(-suspicion, kind="stable")
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1),
            "index": scores.train["index"].to_numpy()[order],
            "suspicion": suspicion[order],
        }
    )
    if all(column in example for example in examples):
        table["label"] = [encodable(examples[i][column]) for i in order]
    if wrong is not None:
        table["wrong"] = wrong[order]
    if "text" in scores.train:
        table["text"] = scores.train["text"].to_numpy()[order]
    return table
