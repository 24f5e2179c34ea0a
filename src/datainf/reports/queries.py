"""What a report shows of each query: its strongest rows, its chart, its layers.

Near-duplicates among the listed rows are folded under the first of them (folding.py),
so that k different examples are listed at either end. Q queries, N training examples.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from datainf.core.options import Order
from datainf.core.records import Scores
from datainf.core.token_scores import TokenScores
from datainf.reports.contributions import Layer, layers
from datainf.reports.folding import folded, shingles
from datainf.reports.plots import distribution
from datainf.reports.token_view import TokenView, Views, views_of
from datainf.reports.visible import Scale, is_missing, shown_index
from datainf.reports.wording import query_residual

# How far down the list near-duplicates are looked for, in times k.
_DEEPER = 5


@dataclass(frozen=True)
class Neighbour:
    """A training example listed for a query.

    Attributes:
        place: Its place among the rows that have scores.
        score: The number itself.
        written: The number as shown.
        share: Its size in percent of the largest score of the query.
        tokens: Both sides token by token, where they were scored.
        twins: Rows further down that nearly repeat its text.
    """

    place: int
    score: float
    written: str
    share: float
    tokens: tuple[TokenView, ...] = ()
    twins: tuple["Neighbour", ...] = ()


@dataclass(frozen=True)
class Side:
    """One end of a query's scores.

    Attributes:
        name: `proponents` or `opponents`.
        rows: The strongest ones of that sign, near-duplicates folded.
        total: How many training examples have that sign.
    """

    name: str
    rows: tuple[Neighbour, ...]
    total: int

    @property
    def places(self) -> list[int]:
        """Places of the listed rows, the folded ones too."""
        return [each.place for row in self.rows for each in (row, *row.twins)]


@dataclass(frozen=True)
class QuerySection:
    """Everything about one query.

    Attributes:
        place: Its row of `values`.
        sides: Proponents, then opponents.
        power: Scores are shown in units of 10 to this power.
        residual: How well its system was solved, or nothing.
        chart: What `plots.distribution` gives.
        layers: Where the listed scores come from; empty where it was not kept.
    """

    place: int
    sides: tuple[Side, ...]
    power: int
    residual: str
    chart: dict[str, Any]
    layers: tuple[Layer, ...]


def query_sections(
    scores: Scores,
    k: int,
    tokens: TokenScores | None = None,
    pictures: Mapping[Hashable, str] | None = None,
) -> Iterator[QuerySection]:
    """Describe every query, in order.

    Args:
        scores: Their rows' tables say what is known of each row.
        k: How many different training examples at either end.
        tokens: Token scores of some pairs.
        pictures: Training index -> its picture; rows with different ones are no
            duplicates, whatever their texts.

    Yields:
        One section a query.
    """
    # Positions instead of indices, and no other column: whatever columns the data has,
    # `top` finds its own.
    bare = scores.with_rows(train=pd.DataFrame({"index": np.arange(len(scores.train))}))
    index = scores.train["index"].tolist()
    runs = _Runs(scores.train, pictures or {})
    views = views_of(tokens)
    for q, (row, asked) in enumerate(
        zip(scores.values, scores.queries["index"], strict=True)
    ):
        listed = {
            order: _sets(bare, q, order, k, runs)
            for order in (Order.PROPONENTS, Order.OPPONENTS)
        }
        every = [i for sets in listed.values() for places in sets for i in places]
        scale = Scale.of([float(row[i]) for i in every])
        query = _Asked(asked, row, scale, index, views)
        sides = tuple(
            Side(
                order.value,
                tuple(query.neighbour(places) for places in sets),
                int((row < 0).sum() if order is Order.PROPONENTS else (row > 0).sum()),
            )
            for order, sets in listed.items()
        )
        yield QuerySection(
            place=q,
            sides=sides,
            power=scale.power,
            residual=query_residual(scores.residual[q].astype(np.float64)),
            chart=distribution(
                row.astype(np.float64),
                [
                    (each.score, shown_index(index[each.place]))
                    for side in sides
                    for each in side.rows
                ],
            ),
            layers=layers(scores, q, *(side.places for side in sides)),
        )


@dataclass(frozen=True)
class _Asked:
    """One query while its rows are described.

    Attributes:
        index: Its index.
        scores: `[N]`, its scores.
        scale: How the listed ones are written.
        train: Indices of the training examples.
        views: Tokens of some pairs.
    """

    index: object
    scores: Float[np.ndarray, " N"]
    scale: Scale
    train: list[Any]
    views: Views

    def neighbour(self, places: list[int]) -> Neighbour:
        """Describe a listed row, with what is folded under it."""
        first, *rest = places
        score, largest = float(self.scores[first]), float(np.abs(self.scores).max())
        return Neighbour(
            place=first,
            score=score,
            written=self.scale.write(score),
            share=round(100 * (abs(score) / largest), 1),
            tokens=self.views.get((self.index, self.train[first]), ()),
            twins=tuple(self.neighbour([place]) for place in rest),
        )


class _Runs:
    """The runs of characters of rows, cut when first asked for."""

    def __init__(self, train: pd.DataFrame, pictures: Mapping[Hashable, str]) -> None:
        self._texts = train["text"].tolist() if "text" in train else None
        self._index = train["index"].tolist()
        self._pictures = pictures
        self._known: dict[int, frozenset[str] | None] = {}

    def __getitem__(self, place: int) -> frozenset[str] | None:
        if place not in self._known:
            self._known[place] = self._cut(place)
        return self._known[place]

    def _cut(self, place: int) -> frozenset[str] | None:
        if self._pictures:
            picture = self._pictures.get(self._index[place])
            return None if picture is None else frozenset((picture,))
        text = None if self._texts is None else self._texts[place]
        return None if is_missing(text) else shingles(str(text))


def _sets(
    bare: Scores, query: int, order: Order, k: int, runs: _Runs
) -> list[list[int]]:
    """List the strongest of one sign: a weak proponent is no opponent."""
    top = bare.top(k if k < 1 else _DEEPER * k, order, query=query)
    sign = -1 if order == Order.PROPONENTS else 1
    places = top["train"][np.sign(top["score"]) == sign].tolist()
    return [
        [places[i] for i in found]
        for found in folded([runs[place] for place in places], k)
    ]
