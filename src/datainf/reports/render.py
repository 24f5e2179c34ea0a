"""One HTML file that answers, for every query: what taught the model this?

Self-contained: style, scripts and the chart library are inside, and the page's own
policy forbids it to load anything. The library is there once, packed from 4.8 to 1.9
MB; so are the rows (payload.py), each once. The page's script lays them out as text
nodes when they come into view, so that 10,000 rows stay smooth; every other value of
the data is escaped by the templates.

Without scripts the overview, facts, suspicious rows and settings are there.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from datainf.core.errors import DataError, StoreError
from datainf.core.pictures import Pictures
from datainf.core.records import Scores
from datainf.core.token_scores import TokenScores
from datainf.reports import overview, sections, wording
from datainf.reports.embed import json_text, packed, policy
from datainf.reports.payload import payload
from datainf.reports.plots import library
from datainf.reports.suspects import suspects
from datainf.reports.templating import environment
from datainf.reports.visible import visible

_HOME = Path(__file__).parent
# Parts of the one script, in their order.
_SCRIPTS = ("base", "charts", "queries", "rows", "groups", "input")
PARTIAL = ".partial"


def render_report(  # noqa: PLR0913 - one page, many parts
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
    """Write scores as one HTML file.

    Args:
        scores: The scores. Texts and further columns of their `train` and `queries`
            tables (labels, classes, flags) are shown with each row.
        path: The file; it appears whole or not at all, its folder is made if need be.
        k: How many different training examples to list at either end of each query:
            near-duplicates are folded under the first of them. Only those of the right
            sign are listed.
        title: The heading; says the sizes when not given.
        highlights: Rows to be looked at first, such as the most suspicious ones; any
            columns. When not given, the rows that hurt the queries, with reasons.
        facts: Named findings: numbers or texts, mappings of them, or tables.
        tokens: Token scores of some pairs, shown in colour with them.
        pictures: Small images of some rows, shown with them.

    Returns:
        The file.

    Raises:
        DataError: If there is no query or no training example.
        StoreError: If the file cannot be written.

    Examples:
        >>> import numpy as np, tempfile
        >>> from datainf.core.records import Provenance
        >>> none = np.full((1, 0), np.nan)
        >>> scores = Scores(np.array([[-1.0, 0.5]]), (), none, none, Provenance("dot"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = render_report(scores, f"{folder}/report.html", k=1)
        ...     "proponent" in file.read_text(encoding="utf-8")
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
    marked = suspects(scores) if highlights is None else highlights
    named = [
        index
        for name in ("train", "index")
        if name in marked
        for index in marked[name].tolist()
    ]
    content, matrix = payload(scores, k, tokens=tokens, pictures=pictures, also=named)
    page = _page(
        scores,
        title=visible(heading),
        highlights=sections.table(marked),
        given=highlights is not None,
        facts=[sections.fact(*item) for item in (facts or {}).items()],
        by_token=tokens is not None,
        count=queries,
        data=packed(json_text(content)),
        matrix="" if matrix is None else packed(matrix.tobytes()),
    )
    return _write_whole(Path(path), page)


def page_script() -> str:
    """Join the parts of the page's script."""
    parts = [
        (_HOME / "assets" / f"{name}.js").read_text(encoding="utf-8")
        for name in _SCRIPTS
    ]
    return '(async () => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def _page(scores: Scores, **content: Any) -> str:
    """Fill in the page."""
    script, charts = page_script(), library()
    page = environment().get_template("page.html.j2")
    return page.render(
        content,
        question=wording.question(scores),
        glance=overview.glance(scores),
        verdicts=list(overview.verdicts(scores)),
        settings=sections.settings(scores),
        sources=sections.sources(scores),
        notes=[visible(note) for note in scores.provenance.notes],
        residual=list(wording.residual_sentences(scores)),
        agreement=wording.agreement_sentence(scores),
        style=(_HOME / "assets" / "report.css").read_text(encoding="utf-8"),
        script=script,
        policy=policy([script, charts.code]),
        library=charts.packed,
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
