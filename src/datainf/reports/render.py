"""One HTML file that answers, for every query: what taught the model this?

Self-contained: style, scripts and the chart library are inside, and the page's own
policy forbids it to load anything. The library is there once, packed from 4.8 to 1.9
MB; each query adds a few hundred bytes a listed example, and its text. Every value of
the data is escaped by the templates; data for scripts is JSON that no markup can end.

Without scripts all text and numbers are there; charts and folding are not.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from datainf.core.errors import DataError, StoreError
from datainf.core.records import Scores
from datainf.core.token_scores import TokenScores
from datainf.reports import sections, wording
from datainf.reports.embed import json_text, policy
from datainf.reports.plots import library
from datainf.reports.templating import environment
from datainf.reports.visible import visible

_HOME = Path(__file__).parent
PARTIAL = ".partial"


def render_report(
    scores: Scores,
    path: str | Path,
    *,
    k: int = 10,
    title: str | None = None,
    highlights: pd.DataFrame | None = None,
    facts: Mapping[str, Any] | None = None,
    tokens: TokenScores | None = None,
) -> Path:
    """Write scores as one HTML file.

    Args:
        scores: The scores. Texts and further columns of their `train` and `queries`
            tables (labels, classes, flags) are shown with each row.
        path: The file; it appears whole or not at all, its folder is made if need be.
        k: How many training examples to list at either end of each query. Only those
            of the right sign are listed.
        title: The heading; says the sizes when not given.
        highlights: Rows to be looked at first, such as the most suspicious ones; any
            columns.
        facts: Named findings: numbers or texts, mappings of them, or tables.
        tokens: Token scores of some pairs, shown in colour with them.

    Returns:
        The file.

    Raises:
        DataError: If there is no query or no training example.
        StoreError: If the file cannot be written.

    Example:
        >>> import numpy as np, tempfile
        >>> from datainf.core.records import Provenance
        >>> none = np.full((1, 0), np.nan)
        >>> scores = Scores(np.array([[-1.0, 0.5]]), (), none, none, Provenance("dot"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = render_report(scores, f"{folder}/report.html", k=1)
        ...     "Proponents" in file.read_text(encoding="utf-8")
        True
    """
    queries, candidates = scores.values.shape
    if not queries or not candidates:
        raise DataError(
            f"there is nothing to report: scores of {queries} queries and {candidates} "
            "training examples."
        )
    heading = title or (
        f"Influence of {wording.counted(candidates, 'training example')} on "
        f"{wording.counted(queries, 'query', 'queries')}"
    )
    page = _page(
        scores,
        title=visible(heading),
        queries=list(sections.query_sections(scores, k, tokens)),
        highlights=None if highlights is None else sections.table(highlights),
        facts=[sections.fact(*item) for item in (facts or {}).items()],
        k=k,
        by_token=tokens is not None,
    )
    return _write_whole(Path(path), page)


def _page(scores: Scores, **content: Any) -> str:
    """Fill in the page."""
    script = (_HOME / "assets" / "report.js").read_text(encoding="utf-8")
    charts = library()
    page = environment().get_template("page.html.j2")
    return page.render(
        content,
        question=wording.question(scores),
        settings=sections.settings(scores),
        sources=sections.sources(scores),
        notes=[visible(note) for note in scores.provenance.notes],
        residual=list(wording.residual_sentences(scores)),
        agreement=wording.agreement_sentence(scores),
        style=(_HOME / "assets" / "report.css").read_text(encoding="utf-8"),
        script=script,
        policy=policy([script, charts.code]),
        library=charts.packed,
        charts=json_text([query.chart for query in content["queries"]]),
        version=visible(scores.provenance.version),
    )


def _write_whole(path: Path, page: str) -> Path:
    """Write under a temporary name, flush, rename.

    Returns:
        The path.

    Raises:
        StoreError: For whatever the system refuses.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                file.write(page)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"the report {path} could not be written: {error.strerror}; choose another "
            "path."
        ) from error
    return path
