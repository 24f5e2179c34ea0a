"""What the pages of Table 2 have in common: claims, pairs, tables, from the records."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from datainf.evaluation.seeds import SeedMean
from datainf.experiments.cells import ADAPTER
from datainf.experiments.class_finding import MEASURES, ClassFinding, Told
from datainf.experiments.comparing import (
    Group,
    Pair,
    cells,
    groups,
    normalized_pairs,
    signed,
)
from datainf.experiments.tables import (
    DASH,
    listed,
    markdown_table,
    mean_text,
    share,
    short,
)
from datainf.experiments.variants import Variant

_SAID = ("AUC", "recall")
_DATAINF, _HESSIAN_FREE = Variant("datainf"), Variant("dot")


def claims(read: ClassFinding) -> list[str]:
    """Say whether Table 2 is reproduced: its order of two methods, and its size.

    Args:
        read: The experiment.

    Returns:
        One sentence a gradient, task and rank; without a verdict on a gradient that
        the paper has no numbers of.
    """
    found = []
    for side, said in read.sides.items():
        for group in groups(read.measured):
            gap = read.paired(group, _DATAINF, _HESSIAN_FREE, side)
            if gap is None:
                continue
            told = read.papers[group[0]]
            ours = [
                both(*_means(read, group, variant, side))
                for variant in (_DATAINF, _HESSIAN_FREE)
            ]
            verdict, theirs = " the paper has no such gradient.", ""
            if side in read.published:
                verdict = f" {judged(gap, told.gap)}"
                theirs = f"; the paper has {_theirs(told, group[1])}"
            found.append(
                f"{group[0]}, r = {group[1]}, {said}:{verdict} DataInf {ours[0]} "
                f"against Hessian-free {ours[1]} (AUC / recall), {signed(gap)} in AUC "
                f"on the same seeds{theirs}."
            )
    return found


def _means(read: ClassFinding, group: Group, variant: Variant, side: str) -> list[Any]:
    own = [one[side] for one in cells(read.measured, group, variant.key)]
    return [np.mean([one[name] for one in own]) for name in MEASURES]


def _theirs(told: Told, rank: int) -> str:
    """Write the paper's numbers, and its rank where ours is another."""
    gap = signed(SeedMean(told.gap, np.nan, np.nan))
    said = f"{both(*told.claims['datainf'])} against {both(*told.claims['dot'])}, {gap}"
    return said if told.rank == rank else f"{said}, with an adapter of r = {told.rank}"


def judged(gap: SeedMean, told: float) -> str:
    """Judge the paper's gap by ours.

    Args:
        gap: Ours, with its interval over seeds.
        told: The paper's.

    Returns:
        Whether it is reproduced, in words.
    """
    if np.isnan(gap.low):
        return "one seed tells nothing yet."
    if gap.high < 0:
        return "not reproduced, the other way round."
    same = gap.low <= told <= gap.high
    if gap.low <= 0:
        return (
            "open: our interval holds both the paper's gap and none."
            if same
            else "not reproduced: our interval holds no gap, and not the paper's."
        )
    if same:
        return "reproduced, order and size."
    return f"order reproduced, with {gap.mean / told:.2g} times the paper's gap."


def pairs_table(read: ClassFinding, pairs: Sequence[Pair]) -> list[str]:
    """Compare methods on the same seeds, by each gradient, and the gradients.

    Args:
        read: The experiment.
        pairs: What is compared, beside what normalisation changes.

    Returns:
        Parts of a page: what the table shows, and the table, a line a pair and
        gradient. Pairs with a variant that repeats another are left out.
    """
    every = [*pairs, *normalized_pairs(["dot", "datainf", "exact"])]
    every = [pair for pair in every if not any(v.label in read.alike for v in pair)]
    found = groups(read.measured)
    lines = []
    for first, second in every:
        for side, said in read.sides.items():
            gaps = [read.paired(group, first, second, side) for group in found]
            lines.append(([f"`{first.label}` less `{second.label}`", said], gaps))
    mine, theirs = read.sides.values()
    for variant in (_HESSIAN_FREE, _DATAINF):
        gaps = [read.between(group, variant) for group in found]
        lines.append(([f"`{variant.label}` itself", f"{mine} less {theirs}"], gaps))
    shown = [(head, gaps) for head, gaps in lines if any(gaps)]
    intervals = sum(gap is not None for _, gaps in shown for gap in gaps)
    if not shown:
        return []
    return [
        "AUC of one method less that of another on the same seeds, with its interval; "
        f"bold where the interval leaves out 0. These are {intervals} intervals, not "
        "adjusted for being many: of twenty true zeros one would be bold by chance.",
        markdown_table(
            ["pair", "gradient", *(f"{name}, r = {rank}" for name, rank in found)],
            [[*head, *map(_gap, gaps)] for head, gaps in shown],
        ),
    ]


def _gap(gap: SeedMean | None) -> str:
    if gap is None:
        return DASH
    clear = gap.low > 0 or gap.high < 0
    return f"**{signed(gap)}**" if clear else signed(gap)


def table_two(read: ClassFinding, summed: Sequence[str]) -> str:
    """Write AUC / recall of a few methods, and the paper's, a line a task.

    Args:
        read: The experiment.
        summed: Methods and baselines.

    Returns:
        The table.
    """
    lines = []
    for side, said in read.sides.items():
        for group in groups(read.measured):
            known = {row["method"]: row for row in read.rows(group)}
            told = read.papers[group[0]]
            known_by_paper = side in read.published
            lines.append(
                [
                    f"{group[0]}, r = {group[1]}",
                    said,
                    *(_cell(known.get(name), side) for name in summed),
                    *(
                        both(*told.claims[name]) if known_by_paper else DASH
                        for name in ("dot", "datainf")
                    ),
                    str(told.rank) if known_by_paper else DASH,
                ]
            )
    head = [n if n in read.baselines else f"`{n}`" for n in summed]
    papers = ["paper: Hessian-free", "paper: DataInf", "paper: r"]
    return "AUC / recall:\n\n" + markdown_table(
        ["task", "gradient", *head, *papers], lines
    )


def _cell(row: Mapping[str, Any] | None, side: str) -> str:
    if row is None:
        return DASH
    return both(*(float(np.mean(row[name][side])) for name in MEASURES))


def table(read: ClassFinding, group: Group) -> list[str]:
    """Write what was measured on one task, a line a variant.

    Args:
        read: The experiment.
        group: Task and rank.

    Returns:
        Parts of a page: the table without repeats, and what its columns are.
    """
    rows = [row for row in read.rows(group) if row["method"] not in read.alike]
    head = [
        "method",
        *(f"{n}, {said}" for said in read.sides.values() for n in _SAID),
        *("seconds", "MiB", "worst residual", "seeds"),
    ]
    collecting = [
        one["collect_seconds"] for one in cells(read.measured, group, ADAPTER)
    ]
    first = read.sides[read.first]
    return [
        markdown_table(head, [_line(read, row) for row in rows]),
        f"Seconds, a median over the seeds, MiB and residual, the largest, are of the "
        f"scores by the gradients of the {first} alone: collecting these took "
        f"{short(float(np.median(collecting)))} s besides (median).",
    ]


def _line(read: ClassFinding, row: Mapping[str, Any]) -> Sequence[str]:
    name = row["method"]
    return [
        name if name in read.baselines else f"`{name}`",
        *(mean_text(row[m][side]) for side in read.sides for m in MEASURES),
        short(row["seconds"]),
        short(row["peak_mib"]),
        short(row["residual"]) + ("" if row["converged"] else ", not converged"),
        str(row["seeds"]),
    ]


def repeats(read: ClassFinding) -> list[str]:
    """Say which variants the tables leave out, since they rank as another does.

    Args:
        read: The experiment.

    Returns:
        One part of a page, or none.
    """
    known: dict[str, list[str]] = {}
    for label, first in read.alike.items():
        known.setdefault(first, []).append(f"`{label}`")
    if not known:
        return []
    said = "; ".join(f"`{first}`: {listed(names)}" for first, names in known.items())
    return [
        "Left out of tables and figure, since every seed has the same AUC and recall "
        f"to the third digit, as {said}."
    ]


def both(auc: float, recall: float) -> str:
    """Write AUC and recall.

    Args:
        auc: The one.
        recall: The other.

    Returns:
        Such as ".820 / .687".
    """
    return f"{share(auc)} / {share(recall)}"
