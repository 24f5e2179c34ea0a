"""How much the rankings of `text-to-image` depend on timesteps, as its page says it.

Read from the cells `PASSES` alone. Cells of older runs lack how well the class is
found; it is then said not to be measured.
"""

import numpy as np

from datainf.evaluation.seeds import seed_mean
from datainf.experiments.cells import ADAPTER, Measured
from datainf.experiments.class_finding_page import both
from datainf.experiments.comparing import Group, cells, groups, signed
from datainf.experiments.tables import DASH, listed, markdown_table, share
from datainf.experiments.text_to_image import (
    NAME,
    PASSES,
    QUERIES,
    RANKED_BY,
    REFERENCE,
    ROWS,
    TIMESTEPS,
    TOP,
)

_LIKENESS = ("spearman", "overlap")


def passes(measured: Measured, group: Group) -> dict[int, dict[str, list[float]]]:
    """Arrange how much rankings depend on their passes.

    Args:
        measured: The experiment.
        group: Task and rank.

    Returns:
        Timesteps -> `spearman` and `overlap`, a seed each; empty where none is
        measured.
    """
    results = [one for one in cells(measured, group, PASSES) if one]
    if not results:
        return {}
    return {
        timesteps: {
            key: [one[str(timesteps)][key] for one in results] for key in _LIKENESS
        }
        for timesteps in TIMESTEPS
    }


def found_by(
    measured: Measured, group: Group, method: str, measure: str
) -> dict[int, list[float]]:
    """Arrange how well a method finds the class, by its number of timesteps.

    Args:
        measured: The experiment.
        group: Task and rank.
        method: One of `RANKED_BY`.
        measure: `auc` or `recall`.

    Returns:
        Timesteps -> the measure, a seed each; empty where it is not measured.
    """
    results = [x for x in cells(measured, group, PASSES) if str(REFERENCE) in x]
    if not results:
        return {}
    return {
        timesteps: [one[str(timesteps)][method][measure] for one in results]
        for timesteps in (*TIMESTEPS, REFERENCE)
    }


def chance(measured: Measured, group: Group) -> float | None:
    """Give how many of the strongest two rankings share by chance.

    Args:
        measured: The experiment.
        group: Task and rank.

    Returns:
        10 / N; None where nothing is measured.
    """
    count = _ranked(measured, group)
    return min(TOP, count) / count if count else None


def _ranked(measured: Measured, group: Group) -> int:
    """Count the training pictures that are ranked, N; 0 where nothing is measured."""
    adapters = cells(measured, group, ADAPTER)
    return min(ROWS, adapters[0]["rows"]) if adapters else 0


def timesteps_words(measured: Measured) -> list[str]:
    """Write how much a ranking depends on its passes.

    Args:
        measured: The experiment.

    Returns:
        Parts of the page.
    """
    lines = [line for group in groups(measured) for line in _lines(measured, group)]
    if not lines:
        return ["Nothing is measured yet."]
    head = ["task", "timesteps", "Spearman", "top 10 kept", "seeds"]
    return [
        f"`datainf` by fewer timesteps beside the same by {REFERENCE} at another noise "
        f"(Spearman over the first N training pictures, mean over at most {QUERIES} "
        f"queries), how much of a query's ten strongest proponents stays with "
        "another seed of the noise, and mean AUC / recall among these pictures. "
        f"{' '.join(_sizes(measured))}",
        f"![Rankings by timesteps]({NAME}-timesteps.svg)",
        markdown_table([*head, *(f"`{name}`" for name in RANKED_BY)], lines),
        "**Does the number of timesteps change the AUC?** " + _answer(measured),
    ]


def _lines(measured: Measured, group: Group) -> list[list[str]]:
    """Write a line a number of timesteps."""
    likeness = passes(measured, group)
    found = {
        name: [found_by(measured, group, name, m) for m in ("auc", "recall")]
        for name in RANKED_BY
    }
    lines = []
    for timesteps in (*likeness, REFERENCE) if likeness else ():
        one = likeness.get(timesteps)
        alike = [share(float(np.mean(one[k]))) if one else DASH for k in _LIKENESS]
        classes = [
            both(*(float(np.mean(each[timesteps])) for each in pair))
            if all(pair)
            else "not measured"
            for pair in found.values()
        ]
        seeds = str(len(next(iter(likeness.values()))["spearman"]))
        task = f"{group[0]}, r = {group[1]}"
        lines.append([task, str(timesteps), *alike, seeds, *classes])
    return lines


def _sizes(measured: Measured) -> list[str]:
    """Say N of each task, and what chance keeps."""
    found = []
    for group in groups(measured):
        by_chance = chance(measured, group)
        if by_chance is not None and passes(measured, group):
            found.append(
                f"{group[0]}, r = {group[1]}: N = {_ranked(measured, group)}, by "
                f"chance {share(by_chance)} of the ten stay."
            )
    return found


def _answer(measured: Measured) -> str:
    """Compare the study's own number of timesteps with the most."""
    own = int(measured.study.task.get("timesteps", TIMESTEPS[-1]))
    said = []
    for group in groups(measured):
        gaps, seeds = [], 0
        for name in RANKED_BY:
            aucs = found_by(measured, group, name, "auc")
            if own in aucs:
                gap = seed_mean(np.subtract(aucs[REFERENCE], aucs[own]))
                gaps.append(f"`{name}` {signed(gap)}")
                seeds = len(aucs[own])
        if gaps:
            task = f"{group[0]}, r = {group[1]} ({seeds} seeds)"
            said.append(f"{task}: {listed(gaps)}")
    if not said:
        return "It is not measured."
    return f"By {REFERENCE} less by {own}, on the same seeds: {'; '.join(said)}."
