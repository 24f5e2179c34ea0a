"""The page and the figure of `datainf reproduce text-generation`, from its records.

Every number and every sentence follows from the records; nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from datainf.core.options import Normalize
from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments.cells import Key, Measured
from datainf.experiments.tables import DASH, markdown_table, mean_text, share, short
from datainf.experiments.text_generation import (
    ADAPTER,
    BASELINES,
    COMPLETION,
    NAME,
    PROMPT,
    keys_of,
    variants_of,
)
from datainf.experiments.variants import Variant, defaults
from datainf.reports.figure import Panel, Series, figure, linear_axis, named_axis

MEASURES = ("auc", "recall")
PAPER: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "sentences": {"dot": (0.999, 0.985), "datainf": (1.000, 0.997)},
    "math": {"dot": (0.770, 0.258), "datainf": (1.000, 0.999)},
    "math-reason": {"dot": (0.772, 0.258), "datainf": (1.000, 0.996)},
}
"""Table 2: AUC and recall of Hessian-free and DataInf, one run each."""
_UNIT = str(Normalize.EXAMPLE)
_BLOCK = str(Normalize.BLOCK)
PAIRS = (
    (Variant("datainf"), Variant("dot")),
    (Variant("datainf"), Variant("scaled-dot")),
    (Variant("exact"), Variant("datainf")),
    (Variant("ekfac"), Variant("datainf")),
    (Variant("cosine"), Variant("datainf")),
    (Variant("datainf", {"normalize": _UNIT}), Variant("datainf")),
    (Variant("datainf", {"normalize": _BLOCK}), Variant("datainf")),
    (
        Variant("exact", {"normalize": _BLOCK}),
        Variant("datainf", {"normalize": _BLOCK}),
    ),
)


def key_of(variant: Variant, side: str) -> Key:
    """Name a variant's cell of one unit."""
    return {**variant.key, "side": side}


def baseline(name: str) -> Key:
    """Name a baseline's cell of one unit."""
    return {"method": name, "options": {}}


def cells(measured: Measured, dataset: str, key: Key) -> list[dict[str, Any]]:
    """Give the results of one key on one task, a seed and rank each, those there are.

    Args:
        measured: The experiment.
        dataset: Task and wording.
        key: What was measured.

    Returns:
        Results in the order of the units.
    """
    keys = [
        {**unit.key(measured.study), **key}
        for unit in measured.units
        if unit.dataset == dataset
    ]
    return [measured.records[one] for one in keys if one in measured.records]


def rows(measured: Measured, dataset: str) -> list[dict[str, Any]]:
    """Arrange what was measured on one task, best AUC on completions first.

    Args:
        measured: The experiment.
        dataset: Task and wording.

    Returns:
        One mapping a variant or baseline: `method`, `gradients` (whether it has any),
        and lists over the seeds.
    """
    found = []
    named: list[tuple[str, Key, Key | None]] = [
        (v.label, key_of(v, COMPLETION), key_of(v, PROMPT))
        for v in variants_of(COMPLETION)
    ]
    named += [(name, baseline(name), None) for name in BASELINES]
    for label, key, other in named:
        results = cells(measured, dataset, key)
        if results:
            on_prompt = [] if other is None else cells(measured, dataset, other)
            worst = [r["residual"] for r in results if r.get("residual") is not None]
            found.append(
                {
                    "method": label,
                    "gradients": other is not None,
                    **{m: [one[m] for one in results] for m in MEASURES},
                    **{f"prompt_{m}": [one[m] for one in on_prompt] for m in MEASURES},
                    "seconds": float(np.median([one["seconds"] for one in results])),
                    "residual": max(worst) if worst else None,
                    "seeds": len(results),
                }
            )
    return sorted(found, key=lambda row: -float(np.mean(row["auc"])))


def summary(measured: Measured) -> pd.DataFrame:
    """Arrange the page's tables as one.

    Args:
        measured: The experiment.

    Returns:
        One row a task and variant.
    """
    found = []
    for dataset in measured.study.datasets:
        for row in rows(measured, dataset):
            auc = seed_mean(row["auc"])
            found.append(
                {
                    "task": dataset,
                    "method": row["method"],
                    "AUC": auc.mean,
                    "from": auc.low,
                    "to": auc.high,
                    "recall": float(np.mean(row["recall"])),
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
        "# Whose class is it? Three text tasks",
        f"Preset `{study.preset}`: ten classes, {study.sample.rows} training rows and "
        f"{study.sample.validation_rows} held-out ones an adapter, one adapter a task, "
        f"wording and seed ({study.seeds} seeds), trained on the completions. AUC: the "
        "chance that a row of the query's own class is a stronger proponent than "
        "another; recall: the share of that class among as many strongest proponents. "
        "Means over seeds with 95 % intervals (Student's t). In the wording `paper` "
        "each class has words of its own, in `shared` the classes differ in their rule "
        "only. *Completion* and *prompt* say which text's loss was differentiated: the "
        "published code reads the prompt alone.",
        f"![AUC of every method]({NAME}.svg)",
        "## In words",
        "\n".join(f"- {line}" for line in [*claims(measured), *verdicts(measured)]),
        *(part for dataset in study.datasets for part in _section(measured, dataset)),
        *_left_out(measured),
        f"```\n{command}\n```",
        "\n".join(measured.records.makers(_keys(measured))),
    ]
    return "\n\n".join(parts) + "\n"


def claims(measured: Measured) -> list[str]:
    """Say for each task and side whether Table 2 is found again.

    Args:
        measured: The experiment.

    Returns:
        One sentence a task and side that has both methods.
    """
    found = []
    for dataset in measured.study.datasets:
        theirs = PAPER[dataset.rpartition("-")[0]]
        for side in (COMPLETION, PROMPT):
            gap = paired(measured, dataset, *PAIRS[0], side=side)
            if gap is None:
                continue
            reached = []
            for method in ("dot", "datainf"):
                results = cells(measured, dataset, key_of(Variant(method), side))
                ours = " / ".join(mean_text([r[m] for r in results]) for m in MEASURES)
                paper = " / ".join(share(value) for value in theirs[method])
                reached.append(f"`{method}` {ours} (the paper: {paper})")
            found.append(
                f"Table 2, {dataset}, gradients of the {side}, AUC / recall: "
                f"{', '.join(reached)}. DataInf above Hessian-free: {_again(gap)} "
                f"({_signed(gap)})."
            )
    return found


def _again(gap: SeedMean) -> str:
    if np.isnan(gap.low):
        return "one seed cannot tell"
    return "found again" if gap.low > 0 else "not found again"


def verdicts(measured: Measured) -> list[str]:
    """Say in words how methods compare, by the numbers.

    Args:
        measured: The experiment.

    Returns:
        One sentence a comparison: pairs of methods on the same seeds, on completions.
    """
    found = []
    for first, second in PAIRS:
        gaps = [
            (dataset, gap)
            for dataset in measured.study.datasets
            if (gap := paired(measured, dataset, first, second)) is not None
        ]
        if not gaps:
            continue
        better = sum(gap.low > 0 for _, gap in gaps)
        worse = sum(gap.high < 0 for _, gap in gaps)
        said = "; ".join(f"{dataset} {_signed(gap)}" for dataset, gap in gaps)
        found.append(
            f"`{first.label}` less `{second.label}`, AUC on the same seeds: clearly "
            f"better in {better} and clearly worse in {worse} of {len(gaps)} tasks "
            f"({said})."
        )
    return found


def paired(
    measured: Measured,
    dataset: str,
    first: Variant,
    second: Variant,
    *,
    side: str = COMPLETION,
) -> SeedMean | None:
    """Give the mean difference of AUC on the same seeds.

    Args:
        measured: The experiment.
        dataset: Task and wording.
        first: A method.
        second: Another.
        side: Whose gradients.

    Returns:
        The difference with its interval; None where a seed lacks one of them.
    """
    mine, theirs = (
        [one["auc"] for one in cells(measured, dataset, key_of(v, side))]
        for v in (first, second)
    )
    if not mine or len(mine) != len(theirs):
        return None
    return seed_mean(np.subtract(mine, theirs))


def drawing(measured: Measured) -> str:
    """Draw the AUC of the methods by their own settings on every task.

    Args:
        measured: The experiment.

    Returns:
        The SVG: completions filled, prompts in another colour, baselines in a third.
    """
    panels = []
    plain = [variant.label for variant in defaults()]
    block = [Variant("datainf", {"normalize": n}).label for n in (_UNIT, _BLOCK)]
    shown = [*plain, *block, *BASELINES]
    for dataset in measured.study.datasets:
        found = [r for r in rows(measured, dataset) if r["method"] in shown]
        series = []
        for i, row in enumerate(found):
            colour = 0 if row["gradients"] else 1
            series.append(_dot(row["auc"], i, colour))
            if row["prompt_auc"]:
                series.append(_dot(row["prompt_auc"], i, 2))
        ends = [x for one in series for x, _ in one.points]
        panels.append(
            Panel(
                dataset,
                linear_axis(
                    "AUC (blue: completion, green: prompt, orange: no gradient)",
                    [0.5, 1.0, *ends],
                ),
                named_axis("", [row["method"] for row in found]),
                tuple(series),
            )
        )
    return figure(panels, title="Are proponents of the query's own class?")


def _dot(values: Sequence[float], place: int, colour: int) -> Series:
    found = seed_mean(values)
    span = ((found.low, -float(place)), (found.high, -float(place)))
    spans = (span,) if np.isfinite(found.low) else ()
    return Series("", ((found.mean, -float(place)),), spans=spans, colour=colour)


def _section(measured: Measured, dataset: str) -> list[str]:
    """Write what was measured on one task."""
    adapters = cells(measured, dataset, ADAPTER)
    if not adapters:
        return [f"## {dataset}", "Nothing is measured yet."]
    facts = adapters[0]
    before, after = (
        mean_text([one[when] for one in adapters]) for when in ("before", "after")
    )
    table = markdown_table(
        [
            "method",
            "AUC, completion",
            "recall",
            "AUC, prompt",
            "recall",
            "seconds",
            "worst residual",
            "seeds",
        ],
        [
            [
                f"`{row['method']}`" if row["gradients"] else row["method"],
                mean_text(row["auc"]),
                mean_text(row["recall"]),
                _mean_or_dash(row["prompt_auc"]),
                _mean_or_dash(row["prompt_recall"]),
                short(row["seconds"]),
                short(row["residual"]),
                str(row["seeds"]),
            ]
            for row in rows(measured, dataset)
        ],
    )
    return [
        f"## {dataset}",
        f"{facts['rows']} rows, {facts['held_out_rows']} held out; "
        f"{facts['parameters']:,} parameters in {facts['blocks']} blocks. Held-out "
        f"exact match {before} before tuning, {after} after.",
        table,
    ]


def _mean_or_dash(values: Sequence[float]) -> str:
    return mean_text(values) if values else DASH


def _left_out(measured: Measured) -> list[str]:
    """Say which variants did not run, in their own words."""
    if not measured.refused:
        return []
    lines = [f"- `{name}`: {reason}" for name, reason in measured.refused.items()]
    return ["Left out:", "\n".join(lines)]


def _signed(gap: SeedMean) -> str:
    text = f"{'+' if gap.mean >= 0 else ''}{share(gap.mean)}"
    if np.isnan(gap.low):
        return text
    return f"{text}, {share(gap.low)} to {share(gap.high)}"


def _keys(measured: Measured) -> list[Key]:
    own = [unit.key(measured.study) for unit in measured.units]
    return [{**unit, **key} for unit in own for key in keys_of()]
