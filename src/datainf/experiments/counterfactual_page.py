"""The page of `datainf reproduce counterfactual`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from datainf.evaluation.paired import paired_effect
from datainf.experiments.counterfactual import NAME, Cell, Findings
from datainf.experiments.counterfactual_earlier import earlier
from datainf.experiments.counterfactual_few import (
    ceiling,
    drawn,
    every_single,
    pruned,
    singles,
)
from datainf.experiments.tables import (
    DASH,
    listed,
    markdown_table,
    share,
    with_ends,
)

Scored = Mapping[str, Mapping[str, Any]]
"""Name of scores -> their LDS with its interval and each query's own."""

SHOWN: Mapping[str, str] = {
    "dot:normalize=none": "dot",
    "scaled-dot:normalize=none": "scaled-dot",
    "cosine": "cosine",
    "datainf:damping=0.1,normalize=none": "datainf",
    "lissa": "lissa",
    "exact:damping=0.1,normalize=none": "exact, damping 0.1",
    "exact:damping=1,normalize=none": "exact, damping 1",
    "exact:damping=10,normalize=none": "exact, damping 10",
    "exact:damping=100,normalize=none": "exact, damping 100",
    "exact:damping=10,blocks=all": "exact, damping 10, one block",
    "ekfac:damping=0.1,normalize=none": "ekfac, damping 0.1",
    "dot:normalize=block": "dot, block",
    "datainf:damping=0.1,normalize=block": "datainf, block",
    "datainf:damping=0.1,normalize=example": "datainf, example",
    "datainf:damping=0.1,normalize=relatif": "datainf, relatif",
    "exact:damping=1,normalize=block": "exact, damping 1, block",
    "exact:damping=10,normalize=block": "exact, damping 10, block",
    "exact:damping=100,normalize=block": "exact, damping 100, block",
    "ekfac:damping=0.1,normalize=block": "ekfac, damping 0.1, block",
    "ekfac:damping=1,normalize=block": "ekfac, damping 1, block",
    "ekfac:damping=10,normalize=block": "ekfac, damping 10, block",
    "tracin:normalize=none": "tracin, an epoch a checkpoint",
    "tracin:normalize=block": "tracin, block",
    "less": "less",
    "trak:damping=0.1": "trak, one checkpoint",
    "tfidf": "TF-IDF",
    "loss": "the example's own loss",
    "random": "random",
}
"""What the first table shows: name of the scores -> what it is called there."""
PAIRS = (
    ("datainf:damping=0.1,normalize=none", "dot:normalize=none"),
    ("datainf:damping=0.1,normalize=none", "scaled-dot:normalize=none"),
    ("exact:damping=0.1,normalize=none", "datainf:damping=0.1,normalize=none"),
    ("exact:damping=10,normalize=none", "datainf:damping=0.1,normalize=none"),
    ("exact:damping=auto,normalize=none", "exact:damping=0.1,normalize=none"),
    ("exact:damping=10,blocks=all", "exact:damping=10,normalize=none"),
    ("datainf:damping=0.1,normalize=block", "datainf:damping=0.1,normalize=none"),
    ("datainf:damping=0.1,normalize=block", "datainf:damping=0.1,normalize=example"),
    ("datainf:damping=0.1,normalize=block", "dot:normalize=block"),
    ("datainf:damping=0.1,normalize=block", "cosine"),
    ("exact:damping=10,normalize=block", "datainf:damping=0.1,normalize=block"),
    ("tracin:normalize=none", "dot:normalize=none"),
    ("tracin:normalize=block", "datainf:damping=0.1,normalize=block"),
    ("less", "datainf:damping=0.1,normalize=block"),
    ("trak:damping=0.1", "datainf:damping=0.1,normalize=block"),
)
"""What is compared, query by query."""


def title_of(cell: Cell) -> str:
    """Name a design in few words."""
    part = "" if cell.removed is None else f" {cell.removed:.0%}"
    return f"{cell.judged.name}{part} {cell.order}"


def lds_cells(findings: Findings) -> list[tuple[Cell, dict[str, Any]]]:
    """Give the judged designs of the LDS, adapter by adapter."""
    found = [pair for pair in findings.there() if pair[0].kind == "lds"]
    order = {name: i for i, name in enumerate(findings.study.judged)}
    return sorted(found, key=lambda pair: order[pair[0].judged.name])


def summary(findings: Findings) -> pd.DataFrame:
    """Arrange every LDS as one table.

    Args:
        findings: The experiment.

    Returns:
        One row a design and set of scores, best first within a design.
    """
    found = []
    for cell, result in lds_cells(findings):
        for name, one in _ranked(result["scores"]):
            found.append(
                {
                    "data": cell.judged.name,
                    "batch_order": str(cell.order),
                    "removed": cell.removed,
                    "scores": name,
                    "lds": one["lds"],
                    "low": one["low"],
                    "high": one["high"],
                }
            )
    columns = ["data", "batch_order", "removed", "scores", "lds", "low", "high"]
    return pd.DataFrame(found, columns=columns)


def page(findings: Findings, command: str) -> str:
    """Write the page.

    Args:
        findings: The experiment.
        command: What was typed, without places on a machine.

    Returns:
        Markdown.
    """
    study = findings.study
    keys = [cell.key(study) for cell in findings.cells]
    there = [*findings.there()]
    parts = [
        "# The scoreboard: every method against retraining",
        "LDS, the linear datamodelling score: train again on random subsets, and "
        "correlate (Spearman, over the subsets) what the scores foretell for each "
        "query's loss with what came; mean over the queries. Intervals are 95 % "
        "bootstraps over subsets and queries. The ceiling is what a perfect predictor "
        "of the expected loss would score, from second seeds. One adapter a setting, "
        f"{study.subsets} subsets or as many as are said below. What it "
        "means, in plain words: [What retraining says](lds.md).",
        _missing(findings),
        f"![LDS of every method in every design]({NAME}.svg)",
        _overview(findings),
        "## Which of two",
        "The difference of two methods' LDS, query by query, with a 95 % bootstrap "
        "over the queries alone: the subsets are the same for both, and another draw "
        "of subsets would move it by more than the interval says.",
        _pairs(findings),
        *earlier(lds_cells(findings)),
        *singles(there, shown(findings)),
        *pruned(there),
        *drawn(there),
        "## Every option",
        *_options(findings),
        *every_single(there),
        f"```\n{command}\n```",
        f"{findings.records.spent(keys)} Retrainings that an interrupted run had kept "
        "are not in it.",
        "\n".join(findings.records.makers(keys)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _missing(findings: Findings) -> str:
    """Say what is not measured yet."""
    names = [
        f"{cell.kind} {title_of(cell)}"
        + (" of methods along the training" if cell.along else "")
        for cell in findings.cells
        if findings.measured(cell) is None
    ]
    if not names:
        return ""
    return f"Not measured yet, the same command goes on: {listed(names)}."


def shown(findings: Findings) -> dict[str, str]:
    """Give the scores of the first table that are judged, with what they are called."""
    judged = {name for _, result in lds_cells(findings) for name in result["scores"]}
    return {name: said for name, said in SHOWN.items() if name in judged}


def _ranked(scores: Scored) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(scores.items(), key=lambda item: -item[1]["lds"])


def _overview(findings: Findings) -> str:
    """Write the first table: one row a method, one column a design."""
    found = lds_cells(findings)
    heads = [title_of(cell) for cell, _ in found]
    best = [_ranked(result["scores"])[0][1]["lds"] for _, result in found]
    lines = []
    for name, said in shown(findings).items():
        values = [
            result["scores"][name]["lds"] if name in result["scores"] else None
            for _, result in found
        ]
        marked = [
            DASH if v is None else f"**{share(v)}**" if v == top else share(v)
            for v, top in zip(values, best, strict=True)
        ]
        known = [v for v in values if v is not None]
        # What holds of a part would stand beside what holds of all.
        whole = len(known) == len(values)
        behind = [top - v for v, top in zip(known, best, strict=True)] if whole else []
        least = share(min(known)) if whole else DASH
        lines.append([said, *marked, least, share(max(behind)) if whole else DASH])
    top = ["best of all options", *(share(value) for value in best), "", ""]
    perfect = ["ceiling", *(ceiling(result) for _, result in found), "", ""]
    ends = ("least", "most behind the best")
    return markdown_table(["scores", *heads, *ends], [*lines, top, perfect])


def paired(
    scores: Scored, first: str, second: str
) -> tuple[float, float, float] | None:
    """Compare two sets of scores query by query.

    Args:
        scores: Of one design.
        first: A name.
        second: Another.

    Returns:
        Mean difference of the queries' LDS and its 95 % bootstrap interval; None where
        a query is defined for neither.
    """
    mine, theirs = (
        np.array(scores[name]["per_query"], dtype=np.float64)
        for name in (first, second)
    )
    known = ~np.isnan(mine - theirs)
    if not known.any():
        return None
    found = paired_effect([theirs[known]], [mine[known]])
    return found.effect, found.interval.low, found.interval.high


def _pairs(findings: Findings) -> str:
    """Write in how many designs one method is better than another."""
    found = lds_cells(findings)
    lines = []
    for first, second in PAIRS:
        gaps = [
            (title_of(cell), gap)
            for cell, result in found
            if {first, second} <= set(result["scores"])
            and (gap := paired(result["scores"], first, second)) is not None
        ]
        if not gaps:
            continue
        better = sum(low > 0 for _, (_, low, _) in gaps)
        worse = sum(high < 0 for _, (_, _, high) in gaps)
        said = "; ".join(
            f"{title} {_signed(mean)} ({_signed(low)} to {_signed(high)})"
            for title, (mean, low, high) in gaps
        )
        lines.append(
            f"- `{first}` less `{second}`: better in {better}, worse in {worse} of "
            f"{len(gaps)} designs ({said})."
        )
    return "\n".join(lines)


def _signed(value: float) -> str:
    return share(value) if value < 0 else f"+{share(value)}"


def _options(findings: Findings) -> list[str]:
    """Write every set of scores of every design."""
    found = lds_cells(findings)
    names = list(dict.fromkeys(name for _, r in found for name in r["scores"]))
    parts = []
    for judged in dict.fromkeys(cell.judged.name for cell, _ in found):
        own = [(c, r) for c, r in found if c.judged.name == judged]
        title = own[0][0].judged.title
        facts = [
            f"{cell.removed:.0%} {cell.order}: {result['subsets']} subsets, "
            f"{result['queries']} queries, {_agreement(result)}"
            for cell, result in own
        ]
        heads = [f"{cell.removed:.0%} {cell.order}" for cell, _ in own]
        lines = [
            [
                f"`{name}`",
                *(
                    with_ends(r["scores"][name]) if name in r["scores"] else DASH
                    for _, r in own
                ),
            ]
            for name in names
            if any(name in r["scores"] for _, r in own)
        ]
        parts += [
            f"### {judged}",
            f"{title[0].upper()}{title[1:]}. {'. '.join(facts)}.",
            markdown_table(["scores", *heads], lines),
        ]
    return parts


def _agreement(result: Mapping[str, Any]) -> str:
    found = result["ceiling"]
    if found is None:
        return "no second seeds"
    return (
        f"two seeds agree at {share(found['agreement'])} ({share(found['low'])} to "
        f"{share(found['high'])})"
    )
