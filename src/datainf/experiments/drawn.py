"""Pictures of an experiment: what an adapter draws, and what taught it (Fig. 3, 4).

Small WebP files in base64, so that records hold them and a page is made of records.
"""

import base64
from typing import Any

import numpy as np

from datainf.experiments.cells import Key
from datainf.experiments.units import Opened
from datainf.integrations.diffusion.generated import generated
from datainf.integrations.tasks.images import thumbnail
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.workflows.score import score

DRAWN: Key = {"method": "drawn", "options": {}}
"""The cell of the pictures."""
PROMPTS = 6
"""Drawn before and after."""
EXPLAINED = 3
"""Queries that are explained, one a class."""
ENDS = 4
"""Pictures at either end of a query's ranking."""


def drawn(subject: Opened, task: TextToImage, *, explain: bool) -> dict[str, Any]:
    """Draw prompts with and without the adapter, and queries with their pictures.

    Args:
        subject: The adapter, its rows and gradients.
        task: Its task.
        explain: Whether training pictures may be kept: those that are generated may,
            photos of others may not.

    Returns:
        `drawn`: prompt, before, after; `explained`: query, its caption, its strongest
        proponents and opponents by DataInf of unit length, with captions and scores.
    """
    model: Any = subject.subject.model
    train, asked = subject.rows.train, subject.rows.validation
    prompts = [asked[i]["text"] for i in _spread(asked, PROMPTS)]
    side = task.resolution
    after = [_kept(image) for image in generated(model, prompts, side=side)]
    with model.disable_adapter():
        before = [_kept(image) for image in generated(model, prompts, side=side)]
    found: dict[str, Any] = {
        "drawn": [
            {"prompt": prompt, "before": first, "after": second}
            for prompt, first, second in zip(prompts, before, after, strict=True)
        ],
        "explained": [],
    }
    if not explain:
        return found
    stores = subject.gradients()
    scores = score(*stores, method="datainf", normalize="example", agreement=False)
    for query in _spread(asked, EXPLAINED):
        values = np.asarray(scores.values[query])
        order = np.argsort(values, kind="stable")
        ends = {"proponents": order[:ENDS], "opponents": order[::-1][:ENDS]}
        found["explained"].append(
            _shown(task, asked[query])
            | {
                side: [
                    _shown(task, train[i]) | {"score": float(values[i])} for i in chosen
                ]
                for side, chosen in ends.items()
            }
        )
    return found


def _shown(task: TextToImage, row: dict[str, Any]) -> dict[str, str]:
    picture = base64.b64encode(task.picture(row)).decode()
    return {"text": row["text"], "picture": picture}


def _kept(image: Any) -> str:
    return base64.b64encode(thumbnail(image)).decode()


def _spread(rows: list[dict[str, Any]], count: int) -> list[int]:
    """Choose rows of as many classes as there are, the first of each, then the next."""
    seen: dict[str, int] = {}
    turns = []
    for i, row in enumerate(rows):
        turn = seen[row["class"]] = seen.get(row["class"], -1) + 1
        turns.append((turn, i))
    return [i for _, i in sorted(turns)[:count]]
