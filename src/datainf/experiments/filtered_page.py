"""The page of `datainf reproduce filtered`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from datainf.core.options import Normalize
from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments import comparing
from datainf.experiments.comparing import (
    Group,
    Pair,
    groups,
    left_out,
    makers,
    signed,
    spent,
    verdict,
)
from datainf.experiments.filtered import (
    ALL,
    NAME,
    ORACLE,
    RIGHT,
    Filtered,
    every,
    variants,
)
from datainf.experiments.presets import Study
from datainf.experiments.tables import DASH, listed, markdown_table, mean_text, share
from datainf.experiments.variants import Variant

PARTS = ("test", "validation")
MEASURES = ("accuracy", "loss")
_PAPER = Variant("datainf")


def cells(found: Filtered, group: Group, variant: Variant) -> list[dict[str, Any]]:
    """Give the results of one variant, a seed each; those that are there.

    Args:
        found: The experiment.
        group: Data set and rank.
        variant: What chose the rows.

    Returns:
        Results in the order of the seeds.
    """
    return comparing.cells(found.measured, group, found.filtering.key(variant))


def values(
    results: Sequence[Mapping[str, Any]], part: str, measure: str
) -> list[float | None]:
    """Give one measure of every seed.

    Args:
        results: What `cells` gave.
        part: `test` or `validation`.
        measure: `accuracy` or `loss`.

    Returns:
        One number a seed; None where training diverged, or of a task without classes.
    """
    return [one[part][measure] if part in one else None for one in results]


def rows(found: Filtered, group: Group) -> list[dict[str, Any]]:
    """Arrange what was measured on one data set, the best first.

    Args:
        found: The experiment.
        group: Data set and rank.

    Returns:
        One mapping a variant, baseline and reference, by test accuracy, or by test loss
        where there is none: each part's measures, `wrong_kept` and `seeds`.
    """
    lines = []
    for variant in every(found.measured.study):
        results = cells(found, group, variant)
        if results:
            measures = {
                f"{part} {measure}": values(results, part, measure)
                for part in PARTS
                for measure in MEASURES
            }
            kept = [one["wrong_kept"] / max(1, one["wrong"]) for one in results]
            lines.append(
                {
                    "method": variant.label,
                    **measures,
                    "wrong_kept": float(np.mean(kept)),
                    "seeds": len(results),
                }
            )
    return sorted(
        lines,
        key=lambda row: (-_mean(row["test accuracy"]), _mean(row["test loss"])),
    )


def _mean(numbers: Sequence[float | None]) -> float:
    """Average what is known, for an order."""
    known = [x for x in numbers if x is not None]
    return float(np.mean(known)) if known else math.inf


def summary(found: Filtered) -> pd.DataFrame:
    """Arrange the page's tables as one.

    Args:
        found: The experiment.

    Returns:
        One row a data set, rank and what chose the rows.
    """
    lines = []
    for dataset, rank in groups(found.measured):
        for row in rows(found, (dataset, rank)):
            known = [x for x in row["test accuracy"] if x is not None]
            accuracy = seed_mean(known) if known else SeedMean(*[math.nan] * 3)
            lines.append(
                {
                    "data": dataset,
                    "rank": rank,
                    "kept by": row["method"],
                    "test accuracy": accuracy.mean,
                    "from": accuracy.low,
                    "to": accuracy.high,
                    "test loss": _mean(row["test loss"]),
                    "validation loss": _mean(row["validation loss"]),
                    "wrong rows kept": row["wrong_kept"],
                    "seeds": row["seeds"],
                }
            )
    return pd.DataFrame(lines)


def page(found: Filtered, command: str) -> str:
    """Write the page.

    Args:
        found: The experiment.
        command: What was typed, without places on a machine.

    Returns:
        Markdown.
    """
    measured, study = found.measured, found.measured.study
    keys = [found.filtering.key(variant) for variant in every(study)]
    keep = f"{found.filtering.keep:.0%}"
    parts = [
        "# Training again on the rows that are kept",
        f"Preset `{study.preset}`: the adapters of *wrong labels* "
        f"({study.sample.flipped:.0%} of the labels flipped; noisy_ag_news: the errors "
        "of real annotators; demo-lm: planted wrong answers). Each method keeps the "
        f"{keep} of the training rows that it finds most beneficial to the mean "
        "validation loss, and the same recipe is trained on them, from the same seed. "
        f"Seeds: {study.seeds}, each with rows, flips and weights of its own; 95 % "
        "intervals are Student's t over them.",
        "The *validation* rows are those whose loss the scores explain, so what they "
        "chose looks better on them than it is. The *test* rows are others: no score "
        "has seen them, and nothing was trained on them.",
        "*loss*, *TF-IDF*, *embedding* and *random* look at no gradient. To compare: "
        f"*{ALL}*, the adapter that was scored; *{RIGHT}*, all but the wrong rows; "
        f"*{ORACLE}*, {keep} again, wrong rows dropped first and others by chance. "
        "Fewer rows are fewer steps, which *random* and the oracle share.",
        f"![Test accuracy by what chose the rows]({NAME}.svg)",
        *(part for group in groups(measured) for part in _section(found, group)),
        "## In words",
        "\n".join(f"- {line}" for line in (*claims(found), *verdicts(found))),
        *left_out(measured),
        f"```\n{command}\n```",
        spent(measured, keys),
        makers(measured, keys),
    ]
    return "\n\n".join(parts) + "\n"


def claims(found: Filtered) -> list[str]:
    """Say beside the paper's Fig. 7 what was measured, by the numbers.

    Args:
        found: The experiment.

    Returns:
        One sentence a data set with classes.
    """
    lines = []
    for group in groups(found.measured):
        gaps = {
            part: paired(found, part, "accuracy", group, _PAPER, Variant(ALL))
            for part in PARTS
        }
        test, validation = (gaps[part] for part in PARTS)
        if test is None or validation is None:
            continue
        lines.append(
            f"{group[0]}, r = {group[1]}: what the paper's Fig. 7 is to show, that the "
            f"{found.filtering.keep:.0%} of the rows that DataInf keeps train a better "
            f"model than all rows, is **{verdict(test)}** here: test accuracy "
            f"{signed(test)}; on the validation rows, which chose, "
            f"{signed(validation)}."
        )
    return lines


def verdicts(found: Filtered) -> list[str]:
    """Say in words how choices compare on the test rows, by the numbers.

    Args:
        found: The experiment.

    Returns:
        One sentence a pair and measure.
    """
    compared = partial(
        comparing.verdicts, _pairs(found.measured.study), groups(found.measured)
    )
    by_accuracy: Callable[..., SeedMean | None] = partial(
        paired, found, "test", "accuracy"
    )

    def saved(group: Group, first: Variant, second: Variant) -> SeedMean | None:
        return paired(found, "test", "loss", group, second, first)

    return [
        *compared(by_accuracy, "test accuracy"),
        *compared(saved, "fall of the test loss"),
    ]


def _pairs(study: Study) -> list[Pair]:
    """List what is compared: DataInf with all else, then what else might do."""
    names = (
        *(("datainf", other) for other in (ALL, "random", "loss", "embedding", "dot")),
        ("exact", "datainf"),
        ("exact", ALL),
        ("loss", ALL),
        ("random", ALL),
        (ORACLE, ALL),
        (ORACLE, "datainf"),
        (RIGHT, ALL),
    )
    found = [(Variant(first), Variant(second)) for first, second in names]
    blocks = {"normalize": str(Normalize.BLOCK)}
    normalized = [v for v in variants(study) if v.options == blocks]
    return found + [(one, Variant(one.method)) for one in normalized]


def paired(
    found: Filtered,
    part: str,
    measure: str,
    group: Group,
    first: Variant,
    second: Variant,
) -> SeedMean | None:
    """Give the mean difference of a measure on the same seeds.

    Args:
        found: The experiment.
        part: `test` or `validation`.
        measure: `accuracy` or `loss`.
        group: Data set and rank.
        first: What chose the rows.
        second: What else did.

    Returns:
        The difference with its interval; None where a seed lacks one of them.
    """
    mine, theirs = (found.filtering.key(one) for one in (first, second))
    return comparing.paired(
        found.measured,
        group,
        mine,
        theirs,
        lambda one: values([one], part, measure)[0],
    )


def _section(found: Filtered, group: Group) -> list[str]:
    """Write what was measured on one data set."""
    title = f"## {group[0]}, r = {group[1]}"
    lines = rows(found, group)
    if not lines:
        return [title, "Nothing is measured yet."]
    study = found.measured.study
    results = {v.label: cells(found, group, v) for v in every(study)}
    facts = [one for of in results.values() for one in of]
    kept = [
        one["kept"] for name in results.keys() - {ALL, RIGHT} for one in results[name]
    ]
    told = {
        name: _between([one[name] for one in facts])
        for name in ("rows", "wrong", "test_rows")
    }
    labels = {
        v.label: f"`{v.label}`" if v in variants(study) else v.label
        for v in every(study)
    }
    table = markdown_table(
        [
            "kept by",
            "test accuracy (95 %)",
            "test loss",
            "validation accuracy",
            "validation loss",
            "wrong rows kept",
            "seeds",
        ],
        [
            [
                labels[row["method"]],
                *(mean_text(row[f"{p} {m}"]) for p in PARTS for m in MEASURES),
                share(row["wrong_kept"]),
                str(row["seeds"]),
            ]
            for row in lines
        ],
    )
    return [
        title,
        f"{told['rows']} training rows, {told['wrong']} of them wrong, "
        f"{_between(kept) if kept else DASH} kept; {told['test_rows']} test rows.",
        table,
        *_diverged(found, group),
    ]


def _diverged(found: Filtered, group: Group) -> list[str]:
    """Name what is averaged over fewer seeds, since training on its rows diverged."""
    broken = [
        f"`{variant.label}`"
        for variant in every(found.measured.study)
        if any("problem" in one for one in cells(found, group, variant))
    ]
    if not broken:
        return []
    return [f"Training diverged on some seed on the rows kept by {listed(broken)}."]


def _between(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"
