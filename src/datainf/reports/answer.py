"""The sources of one query as a piece of HTML: what the web app shows below a question.

The same rows, scores and words as in the report (queries.py, overview.py), without any
script: near-duplicates and long texts fold by the browser's own means. Every value is
escaped by the templates.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datainf.core.questions import Answer
from datainf.core.records import Scores
from datainf.core.token_scores import Side as Whose
from datainf.reports import overview, wording
from datainf.reports.queries import Neighbour, Side, query_sections
from datainf.reports.templating import environment
from datainf.reports.visible import (
    Passage,
    is_missing,
    passage,
    shown,
    shown_index,
    visible,
)

_DRAWN_APART = ("index", "text")
_MEANING = {
    "proponents": "Training on it more would lower this query's loss: it taught it.",
    "opponents": "Training on it more would raise this query's loss: it pulls away.",
}
_OF_THE_RUN = ("adapter", "base model", "method")
_SIGN = {"proponents": "negative", "opponents": "positive"}


@dataclass(frozen=True)
class _Row:
    """A listed training row.

    Attributes:
        index: Its number in the data.
        score: As shown.
        exact: With every digit.
        share: Its size in percent of the largest.
        text: Of the row, where there is one.
        tags: Its further columns, names and values.
        picture: A data URI, where it has one.
        twins: Rows that nearly repeat it.
    """

    index: str
    score: str
    exact: float
    share: float
    text: Passage | None
    tags: tuple[tuple[str, str], ...]
    picture: str | None
    twins: tuple["_Row", ...]


def render_answer(answer: Answer, k: int) -> str:
    """Write the sources of a query.

    Args:
        answer: Scores of one query, and what belongs to them.
        k: How many different training rows at either end.

    Returns:
        HTML in which nothing runs.
    """
    of_rows = {} if answer.pictures is None else answer.pictures.of(Whose.TRAIN)
    (section,) = query_sections(answer.scores, k, None, of_rows)
    return _rendered(
        "answer.html.j2",
        query=passage(answer.query),
        said=None
        if answer.said is None
        else (visible(answer.said.heading), visible(answer.said.text)),
        picture=None if answer.picture is None else _uri(answer.picture),
        warnings=[visible(one) for one in answer.warnings],
        verdicts=list(overview.verdicts(answer.scores)),
        certificate=overview.certificate(answer.scores),
        notes=[visible(note) for note in answer.scores.provenance.notes],
        sides=[_side(side, answer.scores, of_rows) for side in section.sides],
        unit="" if not section.power else f"in units of 10^{section.power}",
    )


def render_failure(message: str) -> str:
    """Write why there are no sources.

    Args:
        message: What is wrong, and what to do.

    Returns:
        HTML.
    """
    return _rendered("failure.html.j2", message=visible(message))


def render_heading(name: str, scores: Scores) -> str:
    """Write whose sources can be asked for.

    Args:
        name: The run.
        scores: What the run itself scored.

    Returns:
        HTML.
    """
    lines = [line for line in overview.glance(scores) if line.name in _OF_THE_RUN]
    return _rendered(
        "heading.html.j2",
        name=visible(name),
        lines=lines,
        rows=wording.counted(scores.values.shape[1], "training example"),
    )


def _side(side: Side, scores: Scores, pictures: Mapping[Any, str]) -> dict[str, Any]:
    """Describe one end of the scores."""
    return {
        "name": side.name,
        "sign": _SIGN[side.name],
        "meaning": _MEANING[side.name],
        "total": f"{side.total:,}",
        "rows": [_row(each, scores, pictures) for each in side.rows],
        "pictured": any(
            scores.train["index"].iloc[each.place] in pictures for each in side.rows
        ),
    }


def _row(each: Neighbour, scores: Scores, pictures: Mapping[Any, str]) -> _Row:
    """Describe a listed row, and those that nearly repeat it."""
    row = scores.train.iloc[each.place]
    return _Row(
        index=shown_index(row["index"]),
        score=each.written,
        exact=each.score,
        share=each.share,
        text=passage(row.get("text")),
        tags=tuple(
            (visible(str(name)), shown(value))
            for name, value in row.items()
            if name not in _DRAWN_APART and not is_missing(value)
        ),
        picture=pictures.get(row["index"]),
        twins=tuple(_row(twin, scores, pictures) for twin in each.twins),
    )


def _uri(picture: bytes) -> str:
    """Write a picture as it stands in a page."""
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"


def _rendered(template: str, **values: Any) -> str:
    return environment().get_template(template).render(values)
