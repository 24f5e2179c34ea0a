"""Pictures of the examples that a report lists, drawn by the task.

A task whose examples have a picture draws it (`PicturedTask.picture`); a run keeps the
drawn ones beside its scores, so that `datainf report` shows them without the data:

    out/pictures.parquet   queries, the strongest rows of each, the most harmful rows
"""

from pathlib import Path
from typing import Any

import pandas as pd

from datainf.core.pictures import COLUMNS, Pictures
from datainf.core.records import Scores
from datainf.core.task import PicturedTask, Task
from datainf.core.token_scores import Side
from datainf.reports.suspects import suspects
from datainf.workflows.mislabeled import SHOWN
from datainf.workflows.token_scores import strongest

PICTURES = "pictures.parquet"


def pictures(
    scores: Scores, task: Task, train: Any, queries: Any = None, *, k: int = 10
) -> Pictures | None:
    """Draw the examples that a report of these scores lists.

    Args:
        scores: The scores.
        task: What draws an example.
        train: The training data.
        queries: The queries' data; None where queries are no examples.
        k: Proponents, and opponents, of each query.

    Returns:
        The pictures; None of a task whose examples have none, such as texts.

    Examples:
        >>> drawn = pictures(scores, task, train, queries)  # doctest: +SKIP
        >>> datainf.report(scores, "report.html", pictures=drawn)  # doctest: +SKIP
    """
    if not isinstance(task, PicturedTask):
        return None
    index = scores.train["index"].to_numpy()
    listed = {int(index[place]) for _, place in strongest(scores, k)}
    listed |= {int(i) for i in suspects(scores, SHOWN)["train"]}
    asked = [] if queries is None else [int(i) for i in scores.queries["index"]]
    rows = [(str(Side.TRAIN), i, task.picture(train[i])) for i in sorted(listed)]
    rows += [(str(Side.QUERY), i, task.picture(queries[i])) for i in asked]
    return Pictures(pd.DataFrame(rows, columns=list(COLUMNS)))


def keep_pictures(
    out: Path,
    scores: Scores,
    task: Task,
    train: Any,
    queries: Any = None,
    *,
    k: int = 10,
) -> Pictures | None:
    """Draw a run's pictures into its folder.

    Args:
        out: The folder; what an earlier run drew there is removed.
        scores: As for `pictures`.
        task: Likewise.
        train: Likewise.
        queries: Likewise.
        k: Likewise.

    Returns:
        The pictures, if there are any.
    """
    drawn = pictures(scores, task, train, queries, k=k)
    if drawn is None:
        (out / PICTURES).unlink(missing_ok=True)
    else:
        drawn.save(out / PICTURES)
    return drawn
