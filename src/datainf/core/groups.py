"""Influence of sets of training examples: the sum, or the mean, of their scores.

    I(S -> query loss) = Σ_{k in S} I(z_k -> query loss)

to first order: what one more copy of every example of S, or its removal with the other
sign, does to the query's loss. For large or coherent sets the real effect is usually
larger, since removing many like examples bends the curvature too; the order of sets is
kept better than the size (Koh et al., NeurIPS 2019, arXiv:1905.13289). Q queries, N
examples.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.core.errors import OptionError, near
from datainf.core.options import word

MISSING = "(missing)"
"""The group of the examples without a value."""

# Student's t at 97.5 %, of 1 to 8 degrees of freedom; the series serves from there.
_T975 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060)


class Reduce(StrEnum):
    """How the scores of a set become one number."""

    SUM = "sum"
    """Their sum: the influence of the set as a whole."""
    MEAN = "mean"
    """Their mean: of an example of the set, whatever its size."""


def members_of(
    groups: str | Sequence[Any] | Mapping[Any, Sequence[int]], train: pd.DataFrame
) -> dict[Any, NDArray[np.intp]]:
    """Find the places of each set's examples.

    Args:
        groups: A column of `train`; or N labels, one an example; or a mapping from
            names to training indices, whose sets may overlap.
        train: One row an example, with its `index`.

    Returns:
        Name -> places in `train`, in the order of first appearance.

    Raises:
        OptionError: If the column or an index is not there, or the labels are not N.
    """
    if isinstance(groups, Mapping):
        places = {index: i for i, index in enumerate(train["index"])}
        found = {}
        for name, indices in groups.items():
            unknown = [index for index in indices if index not in places]
            if unknown or not len(indices):
                what = f"example {unknown[0]}" if unknown else "no example"
                raise OptionError(
                    f"group {name!r} holds {what}; expected indices of training "
                    "examples that have scores (scores.train['index'])."
                )
            found[name] = np.array(sorted({places[index] for index in indices}))
        return found
    if isinstance(groups, str):
        if groups not in train or groups == "index":
            columns = [str(name) for name in train if name != "index"]
            raise OptionError(
                f"column {groups!r} is not among those of the training examples: "
                f"{near(groups, columns)}; attribute with --group-by {groups}, or give "
                "one label an example."
            )
        labels = train[groups].tolist()
    else:
        labels = list(groups)
    if len(labels) != len(train):
        raise OptionError(
            f"by_group: got {len(labels)} labels for {len(train)} training examples; "
            "give one an example that has scores (scores.train['index']), or a mapping "
            "from names to indices."
        )
    sets: dict[Any, list[int]] = {}
    for i, label in enumerate(labels):
        if not isinstance(label, Hashable):
            raise OptionError(
                f"by_group: a label must be a text or number, got {label!r}."
            )
        missing = label is None or bool(label != label)  # NaN is not itself
        sets.setdefault(MISSING if missing else label, []).append(i)
    return {name: np.array(places) for name, places in sets.items()}


def group_table(
    values: NDArray[np.floating],
    members: Mapping[Any, NDArray[np.intp]],
    queries: Sequence[Any],
    reduce: Reduce | str = Reduce.SUM,
) -> pd.DataFrame:
    """Add up, or average, the scores of sets.

    Args:
        values: `[Q, N]`.
        members: Name -> places of its examples.
        queries: Index of each query.
        reduce: `sum` or `mean`.

    Returns:
        A row a query and set, most negative first: `query`, `group`, `examples`,
        `score`; for `mean` also `low` and `high`, its 95 % t-interval over the set's
        examples as a sample of their like; NaN for a single one.
    """
    chosen = word(Reduce, reduce, "reduce")
    rows = []
    for q, row in enumerate(values.astype(np.float64)):
        for name, places in members.items():
            scores = row[places]
            found = {"query": queries[q], "group": name, "examples": len(places)}
            if chosen is Reduce.SUM:
                rows.append({**found, "score": float(scores.sum())})
                continue
            mean, half = float(scores.mean()), _half_width(scores)
            rows.append(
                {**found, "score": mean, "low": mean - half, "high": mean + half}
            )
    table = pd.DataFrame(rows)
    order = np.lexsort((table["score"], np.repeat(range(len(values)), len(members))))
    return table.iloc[order].reset_index(drop=True)


def _half_width(scores: NDArray[np.float64]) -> float:
    """Half of the 95 % interval of a mean."""
    freedom = len(scores) - 1
    if freedom < 1:
        return math.nan
    return t_quantile(freedom) * float(scores.std(ddof=1)) / math.sqrt(len(scores))


def t_quantile(freedom: int) -> float:
    """Give Student's t at 97.5 %, to three digits.

    Args:
        freedom: Degrees of freedom, from 1.

    Returns:
        The quantile; by the expansion in 1/freedom (Abramowitz and Stegun, 26.7.5).
    """
    if freedom <= len(_T975):
        return _T975[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom ** (i + 1) for i, term in enumerate(terms))
