"""The verdict: which scores to trust on this adapter, in words, on one page.

The best method is said with its interval, with those that are not clearly behind it,
and "do not trust these scores" where nothing is above zero. The best of many was picked
by the same retrainings, so what has to be above zero is the lower end for all of them
together.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from datainf.core.durable import write_durably
from datainf.workflows.contenders import BASELINES
from datainf.workflows.ground import Ground

VERDICT = "verdict.md"
ENOUGH = 20
"""Retrainings below which an interval cannot be believed, and no verdict is given."""


def write_verdict(
    ground: Ground, table: pd.DataFrame, details: Mapping[str, Any]
) -> Path:
    """Write the page.

    Args:
        ground: The run.
        table: Of `lds_run`.
        details: Of `lds_run`.

    Returns:
        The file.
    """
    path = Path(ground.config.out) / VERDICT
    lines = ["# Can these scores be trusted?", ""]
    lines += [f"**{sentence}**" for sentence in headlines(table)]
    for design in details["designs"]:
        lines += ["", *_design_lines(design, table)]
    n, q = len(ground.train.table), len(ground.queries.table)
    lines += [
        "",
        "## What this rests on",
        "",
        f"{n} training examples, {q} queries; base {ground.config.model}, adapter "
        f"{ground.config.adapter}, seed {ground.recipe.seed}. LDS: Spearman "
        "correlation, over retrainings on random subsets, of the sum of a subset's "
        "scores with the query's loss after training on it; mean over queries. "
        "Intervals: 95 %, bootstrap over queries and subsets. They speak of this "
        "adapter and recipe alone.",
    ]
    lines += [f"- {finding}" for finding in ground.findings]
    write_durably(path, ["\n".join([*lines, ""]).encode()])
    return path


def headlines(table: pd.DataFrame) -> list[str]:
    """Say the verdict, one sentence a design, and one over all of them.

    Args:
        table: Of `lds_run`.

    Returns:
        The sentences.
    """
    found = []
    judged = table[~table["scores"].isin(BASELINES)]
    judged = table if judged.empty else judged
    designs = list(judged.groupby(["batch_order", "removed"], sort=False))
    for (order, removed), rows in designs:
        same = (table["batch_order"] == order) & (table["removed"] == removed)
        found.append(_headline(rows, table[same]))
    if len(designs) > 1:
        least = judged.groupby("scores")["lds"].min().sort_values()
        name, value = least.index[-1], least.iloc[-1]
        found.append(f"Steadiest over all designs: {name}, LDS at least {value:.2f}.")
    return found


def _headline(judged: pd.DataFrame, everything: pd.DataFrame) -> str:
    """Say the verdict on one design.

    Args:
        judged: Its rows of methods and saved scores, best first.
        everything: Its rows, baselines included.

    Returns:
        The sentence.
    """
    best = judged.iloc[0]
    where = f"{best.removed:.0%} removed, batches {best.batch_order}"
    said = f"{best.scores} (LDS {best.lds:.2f}, 95 % {best.low:.2f} to {best.high:.2f})"
    if best.subsets < ENOUGH:
        return (
            f"No verdict ({where}): {best.subsets} subsets are too few, at least "
            f"{ENOUGH} are needed; the best so far is {said}."
        )
    if best.low_for_all <= 0:
        return (
            f"Do not trust these scores ({where}): none is clearly above zero; the "
            f"best is {said}."
        )
    sentence = f"Best here ({where}): {said}"
    close = judged[(judged["behind_low"] <= 0) & (judged["scores"] != best.scores)]
    if len(close):
        more = f" and {len(close) - 3} more" if len(close) > 3 else ""
        sentence += f"; not clearly worse: {', '.join(close['scores'].head(3))}{more}"
    first = everything.iloc[0]
    if first.scores in BASELINES:
        sentence += f"; but {first.scores}, which looks at no gradient, does better"
    return f"{sentence}."


def _design_lines(design: Mapping[str, Any], table: pd.DataFrame) -> list[str]:
    """Write one design: its table and its noise ceiling."""
    order, removed = design["batch_order"], design["removed"]
    lines = [
        f"## {removed:.0%} removed, batches {order}",
        "",
        f"{design['subsets']} subsets, {design['queries']} queries.",
    ]
    ceiling = design["ceiling"]
    if ceiling is None:
        lines.append("No noise ceiling: fewer than three subsets have a twin.")
    else:
        lines.append(
            f"Two seeds on the same {ceiling['twins']} subsets agree at "
            f"{ceiling['agreement']:.2f} ({ceiling['low']:.2f} to "
            f"{ceiling['high']:.2f}), so a perfect predictor would score about "
            f"{ceiling['perfect_predictor']:.2f}."
        )
    if design["diverged"]:
        lines.append(f"{design['diverged']} retrainings diverged and are left out.")
    if design["undefined_queries"]:
        listed = ", ".join(map(str, design["undefined_queries"]))
        lines.append(f"Left out, because their loss never changes: queries {listed}.")
    lines += [
        "",
        "| scores | LDS | 95 % | behind the best |",
        "| --- | --- | --- | --- |",
    ]
    rows = table[(table["batch_order"] == order) & (table["removed"] == removed)]
    lines += [
        f"| {row.scores} | {row.lds:.3f} | {row.low:.3f} to {row.high:.3f} | "
        f"{row.behind_low:.3f} to {row.behind_high:.3f} |"
        for row in rows.itertuples()
    ]
    return lines
