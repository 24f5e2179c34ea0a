"""A review queue: suspicious rows with reasons that a person can check.

For each row: its rank by influence and by loss; for classes the label that the tuned
model gives it, how sure it is of that and of the given label; and which of the
nearest rows, by the model's own mean hidden state, carry another label.

N rows with scores, K of them in the queue, h width of the model.
"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

from datainf.core.encodable import encodable
from datainf.integrations.hidden_states import mean_hidden_states
from datainf.workflows.data import label_column
from datainf.workflows.finished import Finished
from datainf.workflows.judgement import Judgement, judge, label_writing
from datainf.workflows.progress import Reporter
from datainf.workflows.retraining import Chosen
from datainf.workflows.rows import look_at

NEIGHBOURS = 5


def review_table(
    run: Finished, places: NDArray[np.integer], reporter: Reporter
) -> pd.DataFrame:
    """Say of each suspicious row why it is one.

    Args:
        run: The run.
        places: The rows of the queue among those with scores, most suspicious first.
        reporter: Told how far it is.

    Returns:
        A row each: `rank`, `index`, `suspicion`, `loss`, `loss_rank`; the `label`
        where every row has one; for classes `model_label`, `model_probability`,
        `label_probability`, `disagrees` and `contradicted_by`; `reason` and `text`.
    """
    task, numbers = run.subject.task, run.index
    dataset = Chosen(run.dataset, numbers)
    rows = look_at(dataset, task, reporter, text=True)
    found = judge(run.subject.model, task, rows)
    table = ranked(run, places)
    table["loss"] = found.losses[places]
    table["loss_rank"] = _ranks(found.losses)[places]
    if found.chances is not None:
        writing = label_writing(task, dataset, found.chances.shape[1])
        table = _with_classes(table, found, writing, places)
        other = contradictions(_states(run, dataset), np.asarray(found.given), places)
        table["contradicted_by"] = [
            " ".join(str(numbers[i]) for i in near) for near in other
        ]
    table["reason"] = [_reason(row, len(numbers)) for _, row in table.iterrows()]
    table["text"] = rows.table["text"].to_numpy()[places]
    return table


def ranked(run: Finished, places: NDArray[np.integer]) -> pd.DataFrame:
    """List rows of a run: `rank`, `index`, `suspicion` and, where all have it, `label`.

    Args:
        run: The run.
        places: The rows among those with scores, most suspicious first.

    Returns:
        A row each.
    """
    numbers = run.index[places]
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(places) + 1),
            "index": numbers,
            "suspicion": run.suspicion[places],
        }
    )
    column = label_column(run.subject.task)
    examples = [run.dataset[int(number)] for number in numbers]
    if all(column in example for example in examples):
        table["label"] = [encodable(example[column]) for example in examples]
    return table


def suggestions(
    run: Finished, places: NDArray[np.integer], reporter: Reporter
) -> pd.DataFrame:
    """Give the label that the tuned model gives each row, and how sure it is.

    Args:
        run: Of a task with classes.
        places: The rows among those with scores, most suspicious first.
        reporter: Told how far it is.

    Returns:
        As `ranked`, with `model_label`, `model_probability`, `label_probability` and
        whether the model `disagrees`.
    """
    task = run.subject.task
    chosen = Chosen(run.dataset, run.index[places])
    rows = look_at(chosen, task, reporter, text=False)
    found = judge(run.subject.model, task, rows)
    chances = np.asarray(found.chances)
    writing = label_writing(task, run.dataset, chances.shape[1])
    everything = np.arange(len(places))
    return _with_classes(ranked(run, places), found, writing, everything)


def contradictions(
    states: Float[np.ndarray, "N h"],
    labels: Int[np.ndarray, " N"],
    places: NDArray[np.integer],
    count: int = NEIGHBOURS,
) -> list[list[int]]:
    """Find the nearest rows of each row that carry another label.

    Args:
        states: One vector a row.
        labels: Class of each row.
        places: Which rows are asked about.
        count: How many of the nearest are looked at.

    Returns:
        For each asked row those of its `count` nearest rows, by cosine, whose label is
        another one; the nearest first.

    Examples:
        >>> states = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
        >>> contradictions(states, np.array([0, 1, 1]), np.array([0]), count=1)
        [[1]]
    """
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    unit = states / np.maximum(lengths, np.finfo(np.float64).tiny)
    found = []
    for place in places:
        likeness = unit @ unit[place]
        likeness[place] = -np.inf  # a row is no neighbour of itself
        nearest = np.argsort(-likeness, kind="stable")[: min(count, len(unit) - 1)]
        found.append([int(i) for i in nearest if labels[i] != labels[place]])
    return found


def _states(run: Finished, dataset: Any) -> Float[np.ndarray, "N h"]:
    examples = [dataset[i] for i in range(len(dataset))]
    return mean_hidden_states(run.subject.model, run.subject.task, examples).numpy()


def _with_classes(
    table: pd.DataFrame,
    found: Judgement,
    writing: list[Any],
    places: NDArray[np.integer],
) -> pd.DataFrame:
    """Add what the model says of rows with classes."""
    chances, given = np.asarray(found.chances)[places], np.asarray(found.given)[places]
    best = chances.argmax(axis=1)
    every = np.arange(len(places))
    return table.assign(
        model_label=[writing[c] for c in best],
        model_probability=chances[every, best],
        label_probability=chances[every, given],
        disagrees=best != given,
    )


def _ranks(losses: NDArray[np.floating]) -> NDArray[np.integer]:
    """Number rows by loss, the largest first."""
    ranks = np.empty(len(losses), dtype=np.int64)
    ranks[np.argsort(-losses, kind="stable")] = np.arange(1, len(losses) + 1)
    return ranks


def _reason(row: pd.Series, count: int) -> str:
    """Write the reasons of a row as one line."""
    parts = [
        f"number {row['rank']} of {count} by influence",
        f"number {row['loss_rank']} by loss",
    ]
    if "model_label" in row:
        sure = f"({row['model_probability']:.2f})"
        parts.append(
            f"the model says {row['model_label']} {sure}, {row['label']} is given "
            f"({row['label_probability']:.2f})"
            if row["disagrees"]
            else f"the model agrees with {row['label']} {sure}"
        )
        other = row["contradicted_by"].split()
        if other:
            parts.append(
                f"{len(other)} of its {min(NEIGHBOURS, count - 1)} nearest rows carry "
                f"another label ({', '.join(other)})"
            )
    return "; ".join(parts)
