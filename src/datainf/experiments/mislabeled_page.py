"""The page of `datainf reproduce mislabeled`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments import comparing
from datainf.experiments.cells import ADAPTER, Measured
from datainf.experiments.comparing import (
    Group,
    Pair,
    cells,
    damped_pairs,
    groups,
    left_out,
    makers,
    normalized_pairs,
    signed,
    spent,
    verdict,
    worst,
)
from datainf.experiments.measuring import BASELINES
from datainf.experiments.mislabeled import NAME
from datainf.experiments.tables import markdown_table, mean_text, share, short
from datainf.experiments.variants import Variant, all_variants

_PAPER = (
    "The paper's AUCs (MRPC, r = 8, official notebook, one run): Hessian-free .71, "
    "DataInf .83, LiSSA .70; its times (QQP, N = 4500, Fig. 2): DataInf 13 s, LiSSA "
    "70 s, exact 11,279 s."
)
_FIRST, _OTHERS = Variant("datainf"), (Variant("dot"), Variant("lissa"))


def rows(measured: Measured, group: Group) -> list[dict[str, Any]]:
    """Arrange what was measured on one data set, best AUC first.

    Args:
        measured: The experiment.
        group: Data set and rank.

    Returns:
        One mapping a variant at the methods' own damping, and a baseline.
    """
    variants = [v for v in all_variants() if "damping" not in v.options]
    variants += [Variant(name) for name in BASELINES]
    found = []
    for variant in variants:
        results = cells(measured, group, variant.key)
        if results:
            found.append(
                {
                    "method": variant.label,
                    "auc": [one["auc"] for one in results],
                    "precision": [one["precision"] for one in results],
                    "seconds": float(np.median([one["seconds"] for one in results])),
                    "peak_mib": worst(results, "peak_mib"),
                    "residual": worst(results, "residual"),
                    "seeds": len(results),
                }
            )
    return sorted(found, key=lambda row: -float(np.mean(row["auc"])))


def summary(measured: Measured) -> pd.DataFrame:
    """Arrange the page's first tables as one.

    Args:
        measured: The experiment.

    Returns:
        One row a data set, rank and variant.
    """
    found = []
    for dataset, rank in groups(measured):
        for row in rows(measured, (dataset, rank)):
            auc = seed_mean(row["auc"])
            found.append(
                {
                    "data": dataset,
                    "rank": rank,
                    "method": row["method"],
                    "AUC": auc.mean,
                    "from": auc.low,
                    "to": auc.high,
                    "precision": float(np.mean(row["precision"])),
                    "seconds": row["seconds"],
                    "MiB": row["peak_mib"],
                    "worst residual": row["residual"],
                    "seeds": row["seeds"],
                }
            )
    return pd.DataFrame(found)


def in_full(measured: Measured) -> list[Group]:
    """List data sets and ranks where every variant runs.

    Args:
        measured: The experiment.

    Returns:
        Those, in the study's order.
    """
    return [group for group in groups(measured) if measured.study.in_full(*group)]


def ranked(measured: Measured) -> dict[str, pd.DataFrame]:
    """Arrange the mean AUC by LoRA rank, where there are several.

    Args:
        measured: The experiment.

    Returns:
        Data set -> a line a method and baseline by its own settings, a column a rank
        that is measured; the best at the lowest rank first.
    """
    own = [*(v.label for v in all_variants() if not v.options), *BASELINES]
    tables = {}
    for dataset in measured.study.datasets:
        columns = {
            rank: {row["method"]: row["auc"] for row in rows(measured, (dataset, rank))}
            for rank in sorted(measured.study.ranks_of(dataset))
        }
        columns = {rank: found for rank, found in columns.items() if found}
        if len(columns) > 1:
            table = pd.DataFrame(columns).reindex(own).dropna(how="all")
            first = table[table.columns[0]].map(np.mean)
            tables[dataset] = table.loc[first.sort_values(ascending=False).index]
    return tables


def by_rank(measured: Measured) -> list[str]:
    """Write the AUC of every method by LoRA rank.

    Args:
        measured: The experiment.

    Returns:
        Parts of a page; none where each data set has one rank.
    """
    parts = []
    for dataset, table in ranked(measured).items():
        lines = [
            [
                f"`{name}`" if name not in BASELINES else str(name),
                *(mean_text(auc) if isinstance(auc, list) else "–" for auc in line),
            ]
            for name, line in zip(table.index, table.to_numpy(), strict=True)
        ]
        head = ["method", *(f"r = {rank}" for rank in table.columns)]
        parts += [
            f"## {dataset}, by rank",
            "AUC of every method by its own settings (Fig. 6):",
            markdown_table(head, lines),
        ]
    return parts


def page(measured: Measured, command: str) -> str:
    """Write the page.

    Args:
        measured: The experiment.
        command: What was typed, without places on a machine.

    Returns:
        Markdown.
    """
    study = measured.study
    keys = [
        ADAPTER,
        *(v.key for v in (*map(Variant, BASELINES), *all_variants())),
    ]
    parts = [
        "# Wrong labels: every method",
        f"Preset `{study.preset}`: {study.sample.flipped:.0%} of the labels flipped "
        "(noisy_ag_news: the errors of real annotators; demo-lm: planted wrong "
        f"answers), {study.seeds} seeds, each with rows, flips and weights of its own. "
        "AUC is the chance that a wrong row is more suspicious than a right one; "
        "precision is among as many rows as are wrong. Intervals are 95 %, Student's t "
        "over the seeds. Seconds are the median of scoring alone, for the mean "
        "validation gradient; MiB the highest memory beyond what was held before. "
        "*loss*, *TF-IDF*, *embedding* and *random* look at no gradient.",
        f"![AUC of every method]({NAME}.svg)",
        *(part for group in in_full(measured) for part in _section(measured, group)),
        *by_rank(measured),
        "## In words",
        _PAPER,
        "\n".join(f"- {line}" for line in (*claims(measured), *verdicts(measured))),
        *left_out(measured),
        f"```\n{command}\n```",
        spent(measured, keys),
        makers(measured, keys),
    ]
    return "\n\n".join(parts) + "\n"


def claims(measured: Measured) -> list[str]:
    """Say beside the paper's Fig. 2 what was measured, by the numbers.

    Args:
        measured: The experiment.

    Returns:
        One sentence a data set and rank on what is found, and one on times.
    """
    lines, times = [], []
    for group in groups(measured):
        gaps = [paired(measured, group, _FIRST, other) for other in _OTHERS]
        known = [gap for gap in gaps if gap is not None]
        if len(known) < len(_OTHERS):
            continue
        said = ", ".join(
            f"{signed(gap)} against `{other.label}`"
            for gap, other in zip(known, _OTHERS, strict=True)
        )
        lines.append(
            f"{group[0]}, r = {group[1]}: that DataInf finds more wrong labels than "
            f"Hessian-free and LiSSA (Fig. 2) is **{verdict(*known)}**: AUC {said}."
        )
        seconds = {row["method"]: row["seconds"] for row in rows(measured, group)}
        if {"exact", "lissa"} <= seconds.keys():
            times.append({n: s / seconds["datainf"] for n, s in seconds.items()})
    if times:
        exact, lissa = (
            float(np.median([one[name] for one in times]))
            for name in ("exact", "lissa")
        )
        lines.append(
            f"Times: `exact` takes {short(exact)} times as long as `datainf` and "
            f"`lissa` {short(lissa)} times (medians over the settings; the paper 868 "
            "and 5.4). `lissa` is scaled here so that it converges, which the "
            "published one is not."
        )
    return lines


def verdicts(measured: Measured) -> list[str]:
    """Say in words how methods compare, by the numbers.

    Args:
        measured: The experiment.

    Returns:
        One sentence a comparison: pairs of methods on the same seeds.
    """
    return comparing.verdicts(_pairs(), groups(measured), partial(paired, measured))


def _pairs() -> list[Pair]:
    """List what is compared: methods, then what an option changes in a method."""
    methods = (
        ("datainf", "dot"),
        ("datainf", "scaled-dot"),
        ("exact", "datainf"),
        ("ekfac", "datainf"),
        ("datainf", "loss"),
    )
    found = [(Variant(first), Variant(second)) for first, second in methods]
    for name in ("datainf", "exact", "ekfac"):
        found += [*normalized_pairs([name]), *damped_pairs([name])]
    return found


def paired(
    measured: Measured, group: Group, first: Variant, second: Variant
) -> SeedMean | None:
    """Give the mean difference of AUC on the same seeds.

    Args:
        measured: The experiment.
        group: Data set and rank.
        first: A method or baseline.
        second: Another.

    Returns:
        The difference with its interval; None where a seed lacks one of them.
    """
    return comparing.paired(measured, group, first.key, second.key, itemgetter("auc"))


def _section(measured: Measured, group: Group) -> list[str]:
    """Write what was measured on one data set."""
    dataset, rank = group
    adapters = cells(measured, group, ADAPTER)
    if not adapters:
        return [f"## {dataset}, r = {rank}", "Nothing is measured yet."]
    facts = adapters[0]
    right = mean_text([one["accuracy"] for one in adapters])
    losses = [np.mean([one[w] for one in adapters]) for w in _LOSSES]
    counts = [one["wrong"] for one in adapters]
    table = markdown_table(
        [
            "method",
            "AUC (95 %)",
            "precision",
            "seconds",
            "MiB",
            "worst residual",
            "seeds",
        ],
        [
            [
                f"`{row['method']}`"
                if row["method"] not in BASELINES
                else row["method"],
                mean_text(row["auc"]),
                share(float(np.mean(row["precision"]))),
                short(row["seconds"]),
                short(row["peak_mib"]),
                short(row["residual"]),
                str(row["seeds"]),
            ]
            for row in rows(measured, group)
        ],
    )
    return [
        f"## {dataset}, r = {rank}",
        f"{facts['rows']} rows, {_between(counts)} of them wrong; "
        f"{facts['validation_rows']} validation rows; {facts['parameters']:,} "
        f"parameters in {facts['blocks']} blocks. Validation accuracy {right}; mean "
        f"loss {losses[0]:.2f} in training, {losses[1]:.2f} in validation.",
        table,
        *_damping_table(measured, group),
    ]


def _between(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"


_LOSSES = ("train_loss", "validation_loss")


def _damping_table(measured: Measured, group: Group) -> list[str]:
    """Write AUC by damping."""
    variants = [v for v in all_variants() if "damping" in v.options]
    dampings = list(dict.fromkeys(str(v.options["damping"]) for v in variants))
    lines: dict[str, dict[str, str]] = {}
    for variant in variants:
        results = cells(measured, group, variant.key)
        if results:
            unit = ", unit length" if "normalize" in variant.options else ""
            line = lines.setdefault(f"`{variant.method}`{unit}", {})
            auc = [one["auc"] for one in results]
            line[str(variant.options["damping"])] = mean_text(auc)
    if not lines:
        return []
    return [
        "AUC by damping:",
        markdown_table(
            ["method", *dampings],
            [
                [name, *(line.get(x, "–") for x in dampings)]
                for name, line in lines.items()
            ],
        ),
    ]
