"""Report: scores as one HTML file that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from datainf.core.pictures import Pictures
from datainf.core.records import Scores
from datainf.core.token_scores import TokenScores


def report(  # noqa: PLR0913 - one page, many parts
    scores: Scores,
    path: str | Path,
    *,
    k: int = 10,
    title: str | None = None,
    highlights: pd.DataFrame | None = None,
    facts: Mapping[str, Any] | None = None,
    tokens: TokenScores | None = None,
    pictures: Pictures | None = None,
) -> Path:
    """Write a report: for every query its strongest proponents and opponents.

    Args:
        scores: The scores; further columns of their tables are shown with each row.
        path: The HTML file; its folder is made if need be.
        k: How many different training examples at either end a query.
        title: Heading; the sizes when not given.
        highlights: Rows to be looked at first, such as the most suspicious ones; when
            not given, the rows that hurt the queries, with reasons.
        facts: Named findings: numbers, texts, mappings of them, or tables.
        tokens: Token scores of some pairs, shown in colour with them.
        pictures: What `datainf.pictures` draws of the rows, shown with them.

    Returns:
        The file.

    Examples:
        >>> report(scores, "report.html")  # doctest: +SKIP
    """
    # The chart library is read only where a report is written.
    from datainf.reports.render import render_report

    return render_report(
        scores,
        path,
        k=k,
        title=title,
        highlights=highlights,
        facts=facts,
        tokens=tokens,
        pictures=pictures,
    )
