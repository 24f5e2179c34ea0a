"""What the pages of experiments on adapters share: cells by group, pairs by seed.

A group is a data set and a rank; its units differ in their seed alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from datainf.core.options import AUTO, Normalize
from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments.cells import Measured
from datainf.experiments.tables import listed, share
from datainf.experiments.variants import Variant

Group = tuple[str, int]
"""A data set and a rank."""
Pair = tuple[Variant, Variant]


def groups(measured: Measured) -> list[Group]:
    """List data sets and ranks in the study's order.

    Args:
        measured: The experiment.

    Returns:
        Each once.
    """
    study = measured.study
    return [
        (dataset, rank)
        for dataset in study.datasets
        for rank in study.ranks_of(dataset)
    ]


def cells(
    measured: Measured, group: Group, key: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Give the results of one variant, a seed each; those that are there.

    Args:
        measured: The experiment.
        group: Data set and rank.
        key: The variant's.

    Returns:
        Results in the order of the seeds.
    """
    return [one for one in _by_seed(measured, group, key) if one is not None]


def paired(
    measured: Measured,
    group: Group,
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    value: Callable[[Mapping[str, Any]], float | None],
) -> SeedMean | None:
    """Give the mean difference of two variants, seed by seed.

    Args:
        measured: The experiment.
        group: Data set and rank.
        first: The key of one variant.
        second: That of another.
        value: Takes a number out of a result; None where it has none.

    Returns:
        The difference with its interval; None where a seed has a number of one alone,
        or none has any.
    """
    sides = (_by_seed(measured, group, key) for key in (first, second))
    gaps = []
    for results in zip(*sides, strict=True):
        if results == (None, None):
            continue
        known = [None if one is None else value(one) for one in results]
        mine, theirs = known
        if mine is None or theirs is None:
            return None
        gaps.append(mine - theirs)
    return seed_mean(gaps) if gaps else None


def _by_seed(
    measured: Measured, group: Group, key: Mapping[str, Any]
) -> list[dict[str, Any] | None]:
    """Give one variant's result of every seed, None where it is not there."""
    keys = (
        {**own, **key}
        for unit, own in measured.keys.items()
        if (unit.dataset, unit.rank) == group
    )
    return [measured.records.get(key) for key in keys]


def signed(gap: SeedMean) -> str:
    """Write a difference with its sign and its interval.

    Args:
        gap: The difference.

    Returns:
        Such as "+.034, .020 to .048".
    """
    text = f"{'+' if gap.mean >= 0 else ''}{share(gap.mean)}"
    if np.isnan(gap.low):
        return text
    return f"{text}, {share(gap.low)} to {share(gap.high)}"


def verdict(*gaps: SeedMean) -> str:
    """Say what differences make of a published finding.

    Args:
        gaps: Each positive where it holds.

    Returns:
        "reproduced" where every interval lies above 0, "contradicted" where one lies
        below, or that neither is so.
    """
    if any(np.isnan(gap.low) for gap in gaps):
        return "not decided by one seed"
    if all(gap.low > 0 for gap in gaps):
        return "reproduced"
    if any(gap.high < 0 for gap in gaps):
        return "contradicted"
    return "neither reproduced nor contradicted"


def normalized_pairs(names: Sequence[str]) -> list[Pair]:
    """List what normalisation changes in some methods.

    Args:
        names: The methods.

    Returns:
        Each with a normalisation, against itself without.
    """
    options = [{"normalize": str(one)} for one in Normalize if one != Normalize.NONE]
    return [(Variant(name, each), Variant(name)) for name in names for each in options]


def damped_pairs(names: Sequence[str]) -> list[Pair]:
    """List what damping by held-out rows changes in some methods.

    Args:
        names: The methods.

    Returns:
        Each with it, against itself without.
    """
    return [(Variant(name, {"damping": AUTO}), Variant(name)) for name in names]


def verdicts(
    pairs: Sequence[Pair],
    found: Sequence[Group],
    paired: Callable[[Group, Variant, Variant], SeedMean | None],
    measure: str = "AUC",
) -> list[str]:
    """Say in words how variants compare, by the numbers.

    Args:
        pairs: What is compared.
        found: Where.
        paired: Gives the difference there, on the same seeds.
        measure: Of what; more of it is better.

    Returns:
        One sentence a pair that was measured anywhere.
    """
    lines = []
    for first, second in pairs:
        said = [
            (group, gap)
            for group in found
            if (gap := paired(group, first, second)) is not None
        ]
        if not said:
            continue
        better = sum(gap.low > 0 for _, gap in said)
        worse = sum(gap.high < 0 for _, gap in said)
        gaps = "; ".join(
            f"{dataset} r = {rank}: {signed(gap)}" for (dataset, rank), gap in said
        )
        lines.append(
            f"`{first.label}` less `{second.label}`, {measure} on the same seeds: "
            f"clearly better in {better} and clearly worse in {worse} of {len(said)} "
            f"settings ({gaps})."
        )
    return lines


def worst(results: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Give the largest of a measure that may be missing.

    Args:
        results: One a seed.
        name: The measure.

    Returns:
        The largest, or None where none is there.
    """
    known = [one[name] for one in results if one.get(name) is not None]
    return max(known) if known else None


def left_out(measured: Measured) -> list[str]:
    """Say which variants did not run, in their own words.

    Args:
        measured: The experiment.

    Returns:
        Parts of a page; none where all ran.
    """
    if not measured.refused:
        return []
    reasons: dict[str, list[str]] = {}
    for name, reason in measured.refused.items():
        # What one asked for tells it from the next, and the name says it already.
        said = re.sub(r", got \w+='[\w-]+'", "", reason)
        reasons.setdefault(said, []).append(f"`{name}`")
    lines = [f"- {listed(names)}: {reason}" for reason, names in reasons.items()]
    return ["Left out:", "\n".join(lines)]


def spent(measured: Measured, keys: Sequence[Mapping[str, Any]]) -> str:
    """Say how long all cells took: training, collecting, drawing and scoring.

    Args:
        measured: The experiment.
        keys: Of the cells of a unit.

    Returns:
        One sentence.
    """
    return measured.records.spent(_every(measured, keys))


def makers(measured: Measured, keys: Sequence[Mapping[str, Any]]) -> str:
    """Say which versions and machines made the cells.

    Args:
        measured: The experiment.
        keys: Of the cells of a unit.

    Returns:
        One line a kind.
    """
    return "\n".join(measured.records.makers(_every(measured, keys)))


def _every(
    measured: Measured, keys: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    return [{**unit, **key} for unit in measured.keys.values() for key in keys]
