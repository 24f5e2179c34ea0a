"""Tokens of a pair in the colour of their scores: what templates show of them.

Colour and its strength say side and size; a line under the token and its title say the
same without colour, and so does the sentence that names the strongest. T tokens.
"""

from dataclasses import dataclass

import numpy as np

from datainf.core.token_scores import Side, TokenRow, TokenScores
from datainf.reports.visible import Scale, visible

_NAMED = 3
_HEADINGS = {
    Side.TRAIN: "By token of the training example",
    Side.QUERY: "By token of the query",
}


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        text: As it stands in the text.
        kind: `proponent`, `opponent`, or nothing where it enters no loss.
        share: The size of its score in percent of the largest of its side.
        title: Its score in words.
    """

    text: str
    kind: str
    share: float
    title: str


@dataclass(frozen=True)
class TokenView:
    """The tokens of one side of a pair.

    Attributes:
        heading: Whose they are.
        tokens: All of them, in order.
        strongest: The largest scores as a sentence.
    """

    heading: str
    tokens: tuple[Token, ...]
    strongest: str


Views = dict[tuple[object, object], tuple[TokenView, ...]]
"""(query index, training index) -> the pair's two sides."""


def views_of(scores: TokenScores | None) -> Views:
    """Prepare token scores for the page.

    Args:
        scores: The scores, or none.

    Returns:
        The views of every pair.
    """
    found: Views = {}
    for row in scores or ():
        key = (row.query, row.train)
        found[key] = (*found.get(key, ()), view(row))
    return found


def view(row: TokenRow) -> TokenView:
    """Prepare one side.

    Args:
        row: Its tokens and scores.

    Returns:
        The side, as shown.
    """
    sizes = np.abs(np.nan_to_num(row.scores))
    largest = float(sizes.max(initial=0.0))
    scale = Scale.of([largest])
    unit = f" × 10^{scale.power}".replace("-", "−") if scale.power else ""
    tokens = []
    for text, score, size in zip(row.tokens, row.scores, sizes, strict=True):
        scored = bool(np.isfinite(score)) and score != 0
        kind = ("proponent" if score < 0 else "opponent") if scored else ""
        title = f"{kind} {scale.write(float(score))}{unit}" if scored else ""
        share = round(100 * float(size) / largest, 1) if largest else 0.0
        tokens.append(Token(visible(text), kind, share, title))
    order = [i for i in np.argsort(-sizes, kind="stable")[:_NAMED] if sizes[i] > 0]
    named = (
        f"“{tokens[i].text}” {scale.write(float(row.scores[i]))}{unit}" for i in order
    )
    return TokenView(_HEADINGS[row.side], tuple(tokens), ", ".join(named))
