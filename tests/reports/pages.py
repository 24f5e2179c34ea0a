"""Pages for the tests in a browser: one with everything in it, one with many rows."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from datainf.core.pictures import Pictures
from datainf.core.records import Provenance, Scores
from datainf.core.token_scores import Side, TokenRow, TokenScores
from datainf.reports.render import render_report
from tests.reports.fakes import NASTY, nasty_scores

MANY, ASKED = 10_007, 83
BLOCKS = ("h.0.q.lora_A.weight", "h.1.q.lora_A.weight")


def picture(shade: int) -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (160, 120), (shade, 90, 160)).save(drawn, "WEBP")
    return drawn.getvalue()


def rich_scores() -> Scores:
    """Nasty texts, repeated ones, blocks, flags and classes."""
    scores = nasty_scores()
    share = np.random.default_rng(5).random(scores.values.shape)
    texts = scores.train["text"].tolist()
    texts[13] = texts[0] + "  "  # repeats the first
    scores.values[0, 13] = -1.5
    return replace(
        scores,
        groups=BLOCKS,
        per_block=np.stack([scores.values * share, scores.values * (1 - share)]),
        agreement=np.array([0.9, 0.8, 0.7]),
        train=scores.train.assign(text=pd.Series(texts, dtype=object)),
    )


def rich_page(folder: Path) -> Path:
    tokens = [
        TokenRow(5, 103, side, ("a ", "<b>", NASTY[0]), np.array([np.nan, -2.0, 1.0]))
        for side in Side
    ]
    return render_report(
        rich_scores(),
        folder / "rich.html",
        k=12,
        title="A title with <i>markup</i>",
        highlights=pd.DataFrame({"index": [104], "why": [NASTY[1]]}),
        facts={"<em>match": {"<s>": "<q>"}, "methods": pd.DataFrame({"AUC": [0.9]})},
        tokens=TokenScores.of(tokens),
    )


def pictured_page(folder: Path) -> Path:
    rng = np.random.default_rng(7)
    values = rng.standard_normal((2, 13))
    rows = [("train", i, picture(19 * i)) for i in range(13)]
    rows += [("query", q, picture(200 + 50 * q)) for q in range(2)]
    none = np.full((2, 0), np.nan)
    scores = Scores(
        values,
        (),
        none,
        none,
        Provenance("dot"),
        train=pd.DataFrame(
            {"index": range(13), "text": [f"{i}.png → {i % 3}" for i in range(13)]}
        ),
        queries=pd.DataFrame({"index": [0, 1], "text": ["a.png → 1", "b.png → 2"]}),
    )
    drawn = Pictures(pd.DataFrame(rows, columns=["side", "index", "picture"]))
    return render_report(scores, folder / "pictured.html", k=4, pictures=drawn)


def large_scores() -> Scores:
    # few different values, which pack well, and whose means are exact
    values = np.random.default_rng(13).integers(-99, 100, (ASKED, MANY)) / 64
    none = np.full((ASKED, 0), np.nan)
    return Scores(
        values,
        (),
        none,
        none,
        Provenance("dot"),
        train=pd.DataFrame(
            {
                "index": range(MANY),
                "text": [f"row {i} {'word ' * (i % 7)}" for i in range(MANY)],
                "kind": [("red", "green", "blue")[i % 3] for i in range(MANY)],
                "size": [i % 11 for i in range(MANY)],
            }
        ),
        queries=pd.DataFrame(
            {
                "index": range(ASKED),
                "text": [
                    f"question number-{q}x about topic-{q % 7}" for q in range(ASKED)
                ],
                "kind": [("red", "green", "blue")[q % 3] for q in range(ASKED)],
            }
        ),
    )


def large_page(folder: Path) -> Path:
    return render_report(large_scores(), folder / "large.html", k=5)
