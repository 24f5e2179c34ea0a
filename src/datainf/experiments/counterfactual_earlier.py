"""An earlier measurement on the setting of `sst2`, to stand beside."""

from collections.abc import Iterable, Mapping
from typing import Any

from datainf.experiments.counterfactual import Cell
from datainf.experiments.tables import markdown_table, share, with_ends

EARLIER: Mapping[tuple[str, float], Mapping[str, float]] = {
    ("reshuffled", 0.5): {
        "dot:normalize=none": 0.366,
        "scaled-dot:normalize=none": 0.373,
        "datainf:damping=0.1,normalize=none": 0.388,
        "exact:damping=0.1,normalize=none": 0.448,
        "exact:damping=1,normalize=none": 0.460,
        "exact:damping=10,normalize=none": 0.462,
        "exact:damping=10,blocks=all": 0.455,
        "cosine": 0.585,
        "datainf:damping=0.1,normalize=example": 0.573,
        "exact:damping=100,normalize=example": 0.604,
        "exact:damping=10,normalize=example": 0.590,
        "datainf:damping=0.1,normalize=relatif": 0.563,
    },
    ("kept", 0.5): {
        "dot:normalize=none": 0.22,
        "datainf:damping=0.1,normalize=none": 0.26,
        "cosine": 0.32,
        "exact:damping=10,normalize=none": 0.48,
    },
    ("kept", 0.05): {
        "dot:normalize=none": 0.32,
        "datainf:damping=0.1,normalize=none": 0.38,
        "cosine": 0.35,
        "exact:damping=10,normalize=none": 0.56,
    },
}
"""An earlier measurement on the setting of `sst2`, other rows: LDS by design."""


def earlier(found: Iterable[tuple[Cell, Mapping[str, Any]]]) -> list[str]:
    """Put the earlier measurement beside ours, on the setting that is the same.

    Args:
        found: The judged designs of the LDS, with their results.

    Returns:
        Paragraphs; none where the setting is not judged.
    """
    ours = {
        (str(cell.order), cell.removed): result["scores"]
        for cell, result in found
        if cell.judged.name == "sst2"
    }
    lines = [
        [f"{removed:.0%} {order}", f"`{name}`", share(value), with_ends(scores[name])]
        for (order, removed), values in EARLIER.items()
        if (scores := ours.get((order, removed))) is not None
        for name, value in values.items()
        if name in scores
    ]
    if not lines:
        return []
    return [
        "## Beside an earlier measurement",
        "The same setting as `sst2` on other rows, 50 subsets of halves reshuffled, "
        "and 16 to 50 of the other designs:",
        markdown_table(["design", "scores", "earlier", "here"], lines),
    ]
