"""The page of `datainf reproduce text-generation`, written from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments import comparing
from datainf.experiments.cells import ADAPTER, Measured
from datainf.experiments.comparing import (
    Group,
    cells,
    groups,
    left_out,
    makers,
    normalized_pairs,
    signed,
    worst,
)
from datainf.experiments.data.rows import Wording
from datainf.experiments.data.text_tasks import TEXT_TASKS
from datainf.experiments.measuring import BASELINES
from datainf.experiments.tables import DASH, markdown_table, mean_text, share, short
from datainf.experiments.text_generation import NAME, variants
from datainf.experiments.units import Target
from datainf.experiments.variants import Variant


class Claim(NamedTuple):
    """What Table 2 has for a task and method."""

    auc: float
    recall: float


PAPER: Mapping[str, Mapping[str, Claim]] = {
    "sentences": {"dot": Claim(0.999, 0.985), "datainf": Claim(1.000, 0.997)},
    "math": {"dot": Claim(0.770, 0.258), "datainf": Claim(1.000, 0.999)},
    "math-reason": {"dot": Claim(0.772, 0.258), "datainf": Claim(1.000, 0.996)},
}
"""Kwon et al. (2024), Table 2, by family; Hessian-free is `dot`."""
SAID: Mapping[Target, str] = {
    Target.TASK: "completion",
    Target.PROMPT: "prompt alone",
}
"""What the two gradients are of, in words."""
_MEASURES = ("auc", "recall")
_SUMMED = ("dot", "datainf", "exact", "TF-IDF", "random")


def rows(measured: Measured, group: Group) -> list[dict[str, Any]]:
    """Arrange what was measured on one task, best AUC of the completion first.

    Args:
        measured: The experiment.
        group: Task and rank.

    Returns:
        One mapping a variant and baseline: `auc` and `recall` a target, a seed each.
    """
    found = []
    for variant in (*variants(), *map(Variant, BASELINES)):
        results = cells(measured, group, variant.key)
        if results:
            own = [one[Target.TASK] for one in results]
            found.append(
                {
                    "method": variant.label,
                    "seconds": float(np.median([one["seconds"] for one in own])),
                    "peak_mib": worst(own, "peak_mib"),
                    "residual": worst(own, "residual"),
                    "seeds": len(results),
                    **{
                        name: {t: [one[t][name] for one in results] for t in Target}
                        for name in ("auc", "recall")
                    },
                }
            )
    return sorted(found, key=lambda row: -float(np.mean(row["auc"][Target.TASK])))


def summary(measured: Measured) -> pd.DataFrame:
    """Arrange the page's tables as one.

    Args:
        measured: The experiment.

    Returns:
        One row a task, rank, variant and target.
    """
    found = []
    for dataset, rank in groups(measured):
        for row in rows(measured, (dataset, rank)):
            for target in Target:
                auc = seed_mean(row["auc"][target])
                found.append(
                    {
                        "task": dataset,
                        "rank": rank,
                        "method": row["method"],
                        "gradient": SAID[target],
                        "AUC": auc.mean,
                        "from": auc.low,
                        "to": auc.high,
                        "recall": float(np.mean(row["recall"][target])),
                        "seconds": row["seconds"],
                        "seeds": row["seeds"],
                    }
                )
    return pd.DataFrame(found)


def page(measured: Measured, command: str) -> str:
    """Write the page.

    Args:
        measured: The experiment.
        command: What was typed, without places on a machine.

    Returns:
        Markdown.
    """
    study = measured.study
    parts = [
        "# Text generation: is the query's class first?",
        f"Preset `{study.preset}`: ten classes a task, one adapter a task and wording, "
        f"{study.seeds} seeds, each with rows and weights of its own. For every "
        "held-out query the training rows are ranked, its strongest proponents first: "
        "AUC is the chance that a row of the query's class comes before another row, "
        "recall the share of the class among as many first rows as it has; both are "
        "means over the queries. Intervals are 95 %, Student's t over the seeds.",
        f"Wordings: `{Wording.PAPER}`, where every class has words of its own, as "
        f"published; `{Wording.SHARED}`, where all classes use the same words and only "
        "their order tells the rule. *Completion*: gradients of the loss that training "
        "lowered. *Prompt alone*: of every token of the prompt, which is all that the "
        "published code read; the same adapter. *loss* (the highest first, whatever is "
        "asked), *TF-IDF*, *embedding* (mean hidden state) and *random* look at no "
        "gradient, and read the prompt with its completion, or the prompt alone. In "
        "the figure: methods by their own settings, completions in blue, prompts "
        "alone in green, what looks at no gradient in orange.",
        f"![AUC of every method]({NAME}.svg)",
        "## Beside Table 2",
        _table_two(measured),
        "## In words",
        "\n".join(f"- {line}" for line in (*claims(measured), *verdicts(measured))),
        *(part for group in groups(measured) for part in _section(measured, group)),
        *left_out(measured),
        f"```\n{command}\n```",
        makers(measured, [ADAPTER, *(v.key for v in variants())]),
    ]
    return "\n\n".join(parts) + "\n"


def paired(
    measured: Measured,
    group: Group,
    first: Variant,
    second: Variant,
    target: Target = Target.TASK,
    measure: str = "auc",
) -> SeedMean | None:
    """Give the mean difference of a measure on the same seeds.

    Args:
        measured: The experiment.
        group: Task and rank.
        first: A method or baseline.
        second: Another.
        target: Whose gradients.
        measure: `auc` or `recall`.

    Returns:
        The difference with its interval; None where a seed lacks one of them.
    """
    return comparing.paired(
        measured, group, first.key, second.key, lambda one: one[target][measure]
    )


def claims(measured: Measured) -> list[str]:
    """Say whether Table 2 is reproduced: its order of the two methods, and its size.

    Args:
        measured: The experiment.

    Returns:
        One sentence a task, rank and gradient.
    """
    first, second = Variant("datainf"), Variant("dot")
    found = []
    for target in Target:
        for group in groups(measured):
            gap = paired(measured, group, first, second, target)
            if gap is None:
                continue
            (family, _), results = TEXT_TASKS[group[0]], []
            for variant in (first, second):
                own = [one[target] for one in cells(measured, group, variant.key)]
                results.append([np.mean([one[n] for one in own]) for n in _MEASURES])
            theirs = PAPER[family]
            told = theirs["datainf"].auc - theirs["dot"].auc
            found.append(
                f"{group[0]}, r = {group[1]}, {SAID[target]}: {_judged(gap, told)} "
                f"DataInf {_both(*results[0])} against Hessian-free "
                f"{_both(*results[1])} (AUC / recall), {signed(gap)} in AUC on the "
                f"same seeds; the paper has {_both(*theirs['datainf'])} against "
                f"{_both(*theirs['dot'])}, "
                f"{signed(SeedMean(told, np.nan, np.nan))}."
            )
    return found


def verdicts(measured: Measured) -> list[str]:
    """Say in words how methods compare, by the gradients of the completion.

    Args:
        measured: The experiment.

    Returns:
        One sentence a comparison: pairs of methods on the same seeds, and the two
        gradients of one method.
    """
    names = (
        ("datainf", "scaled-dot"),
        ("exact", "datainf"),
        ("ekfac", "datainf"),
        ("cosine", "dot"),
        ("datainf", "TF-IDF"),
        ("datainf", "embedding"),
    )
    pairs = [(Variant(first), Variant(second)) for first, second in names]
    pairs += normalized_pairs(["dot", "datainf", "exact"])
    found = comparing.verdicts(pairs, groups(measured), partial(paired, measured))
    return found + [
        f"`{name}`, completion less prompt alone, AUC on the same seeds: {gaps}."
        for name in ("dot", "datainf")
        if (gaps := _between_targets(measured, Variant(name)))
    ]


def _judged(gap: SeedMean, told: float) -> str:
    """Judge the paper's gap by ours."""
    if np.isnan(gap.low):
        return "one seed tells nothing yet."
    if gap.high < 0:
        return "not reproduced, the other way round."
    same = gap.low <= told <= gap.high
    if gap.low <= 0:
        return (
            "open: the interval holds the paper's gap, and none."
            if same
            else "not reproduced: no clear gap, and the paper's is another."
        )
    if same:
        return "reproduced, order and size."
    return f"order reproduced, with {gap.mean / told:.2g} times the paper's gap."


def _both(auc: float, recall: float) -> str:
    return f"{share(auc)} / {share(recall)}"


def _between_targets(measured: Measured, variant: Variant) -> str:
    """Compare the two gradients of one method, task by task."""
    found = []
    for group in groups(measured):
        results = cells(measured, group, variant.key)
        if results:
            mine, theirs = ([one[t]["auc"] for one in results] for t in Target)
            gap = seed_mean(np.subtract(mine, theirs))
            found.append(f"{group[0]} r = {group[1]}: {signed(gap)}")
    return "; ".join(found)


def _table_two(measured: Measured) -> str:
    """Write AUC / recall of a few methods, and the paper's, a line a task."""
    lines = []
    for target in Target:
        for group in groups(measured):
            known = {row["method"]: row for row in rows(measured, group)}
            theirs = PAPER[TEXT_TASKS[group[0]][0]]
            lines.append(
                [
                    f"{group[0]}, r = {group[1]}",
                    SAID[target],
                    *(_cell(known.get(name), target) for name in _SUMMED),
                    *(_both(*theirs[name]) for name in ("dot", "datainf")),
                ]
            )
    head = [f"`{n}`" if n not in BASELINES else n for n in _SUMMED]
    papers = ["paper: Hessian-free", "paper: DataInf"]
    return "AUC / recall:\n\n" + markdown_table(
        ["task", "gradient", *head, *papers], lines
    )


def _cell(row: Mapping[str, Any] | None, target: Target) -> str:
    if row is None:
        return DASH
    return _both(*(float(np.mean(row[name][target])) for name in _MEASURES))


def _section(measured: Measured, group: Group) -> list[str]:
    """Write what was measured on one task."""
    dataset, rank = group
    adapters = cells(measured, group, ADAPTER)
    if not adapters:
        return [f"## {dataset}, r = {rank}", "Nothing is measured yet."]
    facts = adapters[0]
    before, after, trained, held_out = (
        [one[name] for one in adapters]
        for name in (
            "exact_match_before",
            "exact_match",
            "train_loss",
            "validation_loss",
        )
    )
    table = markdown_table(
        [
            "method",
            *(f"{name}, {SAID[t]}" for t in Target for name in ("AUC", "recall")),
            "seconds",
            "MiB",
            "worst residual",
            "seeds",
        ],
        [_line(row) for row in rows(measured, group)],
    )
    return [
        f"## {dataset}, r = {rank}",
        f"{facts['rows']} rows, {facts['queries']} queries; {facts['parameters']:,} "
        f"parameters in {facts['blocks']} blocks. Held-out exact match "
        f"{mean_text(before)} before training, {mean_text(after)} after; mean loss "
        f"{np.mean(trained):.2f} in training, {np.mean(held_out):.2f} held out.",
        table,
    ]


def _line(row: Mapping[str, Any]) -> Sequence[str]:
    """Write one variant's line."""
    name = row["method"]
    return [
        name if name in BASELINES else f"`{name}`",
        *(mean_text(row[m][target]) for target in Target for m in _MEASURES),
        short(row["seconds"]),
        short(row["peak_mib"]),
        short(row["residual"]),
        str(row["seeds"]),
    ]
