"""Training rows that look wrong, each with reasons that a person can check.

    hurts         its mean influence raises the loss of the queries
    own class     it raises the loss of most queries that share a column's value with it
    contradicted  another row has its text and another answer: `describe()` writes
                  `text → answer`

A reason is a hint, not a proof. Q queries, N training examples.
"""

from collections import defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.core.records import Scores
from datainf.reports.visible import is_missing, shown, visible

SHOWN = 20
_ARROW = "→"
_MOST = 0.8
_NAMED = 3
_DRAWN_APART = ("index", "text")


def suspects(scores: Scores, limit: int = SHOWN) -> pd.DataFrame:
    """List the rows that hurt the queries most, and those that others contradict.

    Args:
        scores: The scores.
        limit: How many of either.

    Returns:
        `train`, `mean influence`, `why` and, where kept, `text`; most harmful first.
    """
    mean = scores.values.mean(axis=0, dtype=np.float64)
    harmful = [i for i in np.argsort(-mean, kind="stable")[:limit] if mean[i] > 0]
    contradicted = sorted(contradictions(scores))[:limit]
    chosen = sorted({*harmful, *contradicted}, key=lambda i: (-mean[i], i))
    places = np.array(chosen, dtype=np.intp)
    table = pd.DataFrame(
        {
            "train": scores.train["index"].to_numpy()[places],
            "mean influence": mean[places],
            "why": reasons(scores, places),
        }
    )
    if "text" in scores.train:
        table["text"] = scores.train["text"].to_numpy()[places]
    return table


def reasons(scores: Scores, places: NDArray[np.integer]) -> list[str]:
    """Say of rows why they look wrong.

    Args:
        scores: The scores.
        places: Rows among those with scores.

    Returns:
        One line a row; empty where there is nothing to say.
    """
    values = scores.values.astype(np.float64)
    mean = values.mean(axis=0)
    ranks = np.empty(len(mean), dtype=np.int64)
    ranks[np.argsort(-mean, kind="stable")] = np.arange(1, len(mean) + 1)
    against, own = contradictions(scores), _own_queries(scores)
    lines = []
    for i in places:
        parts = []
        if mean[i] > 0:
            parts.append(
                f"number {ranks[i]:,} of {len(mean):,} in raising the loss of "
                + ("the query" if len(values) == 1 else "the queries")
            )
        if i in against:
            named = ", ".join(shown_list(against[i]))
            parts.append(f"the same text with another answer: {named}")
        for column, queries in own.items():
            shares = queries.get(shown(scores.train[column].iloc[i]))
            if shares is not None and len(shares) > 1:
                raised = int((values[shares, i] > 0).sum())
                if raised >= _MOST * len(shares):
                    parts.append(
                        f"raises the loss of {raised} of {len(shares)} queries of its "
                        f"own {visible(str(column))}"
                    )
        lines.append("; ".join(parts))
    return lines


def contradictions(scores: Scores) -> dict[int, list[str]]:
    """Find rows with one text and different answers.

    Args:
        scores: With the texts of `train`.

    Returns:
        Place of a row -> indices of the rows that contradict it.
    """
    if "text" not in scores.train:
        return {}
    same: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for i, text in enumerate(scores.train["text"]):
        asked, arrow, answer = str(text).rpartition(_ARROW)
        if arrow and not is_missing(text):
            same[" ".join(asked.casefold().split())].append((i, answer.strip()))
    index = scores.train["index"].to_numpy()
    return {
        i: [str(index[j]) for j, other in rows if other != answer]
        for rows in same.values()
        if len({answer for _, answer in rows}) > 1
        for i, answer in rows
    }


def shown_list(indices: list[str]) -> list[str]:
    """Name the first few of many examples."""
    named = [f"example {index}" for index in indices[:_NAMED]]
    rest = len(indices) - _NAMED
    return [*named, f"{rest} more"] if rest > 0 else named


def _own_queries(scores: Scores) -> dict[str, dict[str, list[int]]]:
    """Find the queries of each value of the columns that both tables have."""
    found: dict[str, dict[str, list[int]]] = {}
    for column in scores.queries.columns:
        if column in _DRAWN_APART or column not in scores.train:
            continue
        places: dict[str, list[int]] = defaultdict(list)
        for q, value in enumerate(scores.queries[column]):
            if not is_missing(value):
                places[shown(value)].append(q)
        found[column] = dict(places)
    return found
