"""Scores whose texts try to break out of a page, for the tests of reports."""

import numpy as np
import pandas as pd

from datainf.core.records import Provenance, Scores

Q, N, G = 3, 17, 2
NASTY = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script><!-- <img src=x onerror=alert(3)>",
    "{{ 7 * 7 }} {% raw %} {# #}",
    '"><a href=\'https://example.org\' onclick="x">link</a>',
    "emoji 👩‍👩‍👧‍👦🔥 naïve &amp; &lt;b&gt;",
    "مرحبا بالعالم with English inside 123",
    "NUL \x00 bell \x07 half \ud83d delete \x7f \x85",
    "\u202ereversed\u202c\nsecond line\n\n\tthird",
    "long " + "text, " * 900,
)


def texts(count: int) -> pd.Series:
    """Give nasty texts, then plain ones; as objects, which hold half surrogates too."""
    found = [*NASTY, *(f"plain text {i}" for i in range(count))][:count]
    return pd.Series(found, dtype=object)


def nasty_scores() -> Scores:
    rng = np.random.default_rng(11)
    values = rng.standard_normal((Q, N))
    values[0, : len(NASTY)] = -2 - 0.1 * np.arange(len(NASTY))
    values[2] *= 1e-7
    return Scores(
        values=values,
        groups=("q<proj>", "v_proj"),
        residual=np.array([[0.004, 0.05], [0.3, 0.02], [np.nan, 0.6]]),
        scale=np.ones((Q, G)),
        provenance=Provenance(
            method="datainf",
            options={"damping": 0.1, "blocks": "tensor", "normalize": "none"},
            version="0.1.0",
            sources={"train": {"base": "ab12", "task": {"eos": True, "<i>": None}}},
            notes=("1 of 17 gradients is <zero>.",),
        ),
        train=pd.DataFrame(
            {
                "index": np.arange(N) + 101,
                "text": texts(N),
                "class": ["<b>a</b>", *"bcabcabcabcabcab"],
                "planted": [True, *[False] * (N - 1)],
            }
        ),
        queries=pd.DataFrame(
            {
                "index": [5, 7, 11],
                "text": pd.Series([NASTY[6], NASTY[0], NASTY[8]], dtype=object),
                "class": ["b", "a", "c"],
            }
        ),
    )


def listed(scores: Scores, k: int, order: str, query: int) -> pd.DataFrame:
    """Give the rows of `top` that have the order's own sign."""
    # without texts: pandas' own strings cannot hold half a surrogate pair
    bare = scores.with_rows(train=scores.train[["index"]])
    top = bare.top(k, order, query=query)
    return top[np.sign(top["score"]) == (-1 if order == "proponents" else 1)]


def bare_scores(values: np.ndarray) -> Scores:
    """Scores of a method that solves no system, of rows that nothing is known about."""
    none = np.full((len(values), 0), np.nan)
    return Scores(values, (), none, none, Provenance("dot"))
