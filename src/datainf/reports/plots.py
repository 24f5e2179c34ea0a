"""Charts: what is drawn, and the library that draws it in the reader's browser.

A query's chart is a histogram of its N scores, with the listed examples marked below
it. Bins are counted here, so a page holds about 40 numbers a query, not N. Zero is
always an edge: no bar mixes proponents and opponents.

The only file that imports plotly. Its Python package ships the complete plotly.js alone
(4.8 MB, no smaller bundle), which goes into a page once, packed (see `embed.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float
from plotly.offline import get_plotlyjs

from datainf.reports.embed import packed

_BINS = 40


@dataclass(frozen=True)
class Library:
    """The drawing library.

    Attributes:
        code: The script as it runs.
        packed: The same for the page to unpack.
    """

    code: str
    packed: str


@cache
def library() -> Library:
    """Give plotly.js; packed once a process."""
    code = get_plotlyjs()
    return Library(code, packed(code))


def distribution(
    scores: Float[np.ndarray, " N"], marked: Sequence[tuple[float, str]]
) -> dict[str, Any]:
    """Count one query's scores for its chart.

    Args:
        scores: Its scores of all training examples.
        marked: Score and name of each example that is listed beside the chart.

    Returns:
        `edges` (one more than counts), `counts`, `marks`, as JSON values.
    """
    counts, edges = np.histogram(scores, bins=bin_edges(scores))
    return {
        "edges": [float(edge) for edge in edges],
        "counts": [int(count) for count in counts],
        "marks": [[float(score), name] for score, name in marked],
    }


def bin_edges(scores: Float[np.ndarray, " N"]) -> Float[np.ndarray, " edges"]:
    """Cut the range of the scores, and zero, into about 40 bins of one width.

    Args:
        scores: Finite numbers.

    Returns:
        Rising edges, zero among them.
    """
    low, high = min(0.0, float(scores.min())), max(0.0, float(scores.max()))
    if low == high:
        return np.array([-1.0, 0.0, 1.0])
    # each end by itself, since the difference of two huge numbers may overflow
    width = high / _BINS - low / _BINS
    first, last = int(np.floor(low / width)), int(np.ceil(high / width))
    edges = np.arange(first, last + 1) * width
    # rounding may leave an extreme score a hair outside
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges
