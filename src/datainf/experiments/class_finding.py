"""What the pages of Table 2 share: do proponents come from the query's class?

A cell holds, for each of two gradients, AUC and recall of one variant on one unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments import comparing
from datainf.experiments.cells import Measured
from datainf.experiments.comparing import (
    Group,
    Pair,
    cells,
    groups,
    normalized_pairs,
    signed,
    worst,
)
from datainf.experiments.tables import DASH, markdown_table, mean_text, share, short
from datainf.experiments.variants import Variant

MEASURES = ("auc", "recall")


class Claim(NamedTuple):
    """What Table 2 has for a task and method."""

    auc: float
    recall: float


@dataclass(frozen=True)
class ClassFinding:
    """One experiment, as its page reads it.

    Attributes:
        measured: What was measured.
        variants: What was compared.
        baselines: What looks at no gradient.
        sides: Name of each gradient in a cell -> in words; the first decides the order.
        papers: Data set -> what the paper has for `dot` and `datainf`.
    """

    measured: Measured
    variants: Sequence[Variant]
    baselines: Sequence[str]
    sides: Mapping[str, str]
    papers: Mapping[str, Mapping[str, Claim]]

    @property
    def first(self) -> str:
        """The gradient that training lowered."""
        return next(iter(self.sides))

    def rows(self, group: Group) -> list[dict[str, Any]]:
        """Arrange what was measured on one task, best AUC of the first gradient first.

        Args:
            group: Task and rank.

        Returns:
            One mapping a variant and baseline: `auc` and `recall` by gradient, a seed
            each.
        """
        found = []
        for variant in (*self.variants, *map(Variant, self.baselines)):
            results = cells(self.measured, group, variant.key)
            if results:
                own = [one[self.first] for one in results]
                found.append(
                    {
                        "method": variant.label,
                        "seconds": float(np.median([one["seconds"] for one in own])),
                        "peak_mib": worst(own, "peak_mib"),
                        "residual": worst(own, "residual"),
                        "seeds": len(results),
                        **{
                            name: {t: [one[t][name] for one in results] for t in sides}
                            for name in MEASURES
                            for sides in [list(self.sides)]
                        },
                    }
                )
        return sorted(found, key=lambda row: -float(np.mean(row["auc"][self.first])))

    def summary(self) -> pd.DataFrame:
        """Arrange the page's tables as one.

        Returns:
            One row a task, rank, variant and gradient.
        """
        found = []
        for dataset, rank in groups(self.measured):
            for row in self.rows((dataset, rank)):
                for side, said in self.sides.items():
                    auc = seed_mean(row["auc"][side])
                    found.append(
                        {
                            "task": dataset,
                            "rank": rank,
                            "method": row["method"],
                            "gradient": said,
                            "AUC": auc.mean,
                            "from": auc.low,
                            "to": auc.high,
                            "recall": float(np.mean(row["recall"][side])),
                            "seconds": row["seconds"],
                            "seeds": row["seeds"],
                        }
                    )
        return pd.DataFrame(found)

    def paired(
        self,
        group: Group,
        first: Variant,
        second: Variant,
        side: str | None = None,
        measure: str = "auc",
    ) -> SeedMean | None:
        """Give the mean difference of a measure on the same seeds.

        Args:
            group: Task and rank.
            first: A method or baseline.
            second: Another.
            side: Whose gradients; the first when None.
            measure: `auc` or `recall`.

        Returns:
            The difference with its interval; None where a seed lacks one of them.
        """
        chosen = side or self.first
        return comparing.paired(
            self.measured,
            group,
            first.key,
            second.key,
            lambda one: one[chosen][measure],
        )

    def claims(self) -> list[str]:
        """Say whether Table 2 is reproduced: its order of two methods, and its size.

        Returns:
            One sentence a gradient, task and rank.
        """
        first, second = Variant("datainf"), Variant("dot")
        found = []
        for side, said in self.sides.items():
            for group in groups(self.measured):
                gap = self.paired(group, first, second, side)
                if gap is None:
                    continue
                results = []
                for variant in (first, second):
                    own = [
                        one[side] for one in cells(self.measured, group, variant.key)
                    ]
                    results.append([np.mean([one[n] for one in own]) for n in MEASURES])
                theirs = self.papers[group[0]]
                told = theirs["datainf"].auc - theirs["dot"].auc
                found.append(
                    f"{group[0]}, r = {group[1]}, {said}: {judged(gap, told)} "
                    f"DataInf {both(*results[0])} against Hessian-free "
                    f"{both(*results[1])} (AUC / recall), {signed(gap)} in AUC on the "
                    f"same seeds; the paper has {both(*theirs['datainf'])} against "
                    f"{both(*theirs['dot'])}, "
                    f"{signed(SeedMean(told, np.nan, np.nan))}."
                )
        return found

    def verdicts(self, pairs: Sequence[Pair]) -> list[str]:
        """Say in words how methods compare, by the first gradient, and the gradients.

        Args:
            pairs: What is compared, beside what normalisation changes.

        Returns:
            One sentence a pair of methods on the same seeds, and one for the two
            gradients of a method.
        """
        every = [*pairs, *normalized_pairs(["dot", "datainf", "exact"])]
        found = comparing.verdicts(every, groups(self.measured), self.paired)
        first, second = self.sides.values()
        return found + [
            f"`{name}`, {first} less {second}, AUC on the same seeds: {gaps}."
            for name in ("dot", "datainf")
            if (gaps := self._between(Variant(name)))
        ]

    def _between(self, variant: Variant) -> str:
        """Compare the gradients of one method, task by task; empty without any."""
        found = []
        for group in groups(self.measured):
            results = cells(self.measured, group, variant.key)
            if results:
                mine, theirs = ([one[t]["auc"] for one in results] for t in self.sides)
                gap = seed_mean(np.subtract(mine, theirs))
                found.append(f"{group[0]} r = {group[1]}: {signed(gap)}")
        return "; ".join(found)

    def table_two(self, summed: Sequence[str]) -> str:
        """Write AUC / recall of a few methods, and the paper's, a line a task.

        Args:
            summed: Methods and baselines.

        Returns:
            The table.
        """
        lines = []
        for side, said in self.sides.items():
            for group in groups(self.measured):
                known = {row["method"]: row for row in self.rows(group)}
                theirs = self.papers[group[0]]
                lines.append(
                    [
                        f"{group[0]}, r = {group[1]}",
                        said,
                        *(_cell(known.get(name), side) for name in summed),
                        *(both(*theirs[name]) for name in ("dot", "datainf")),
                    ]
                )
        head = [n if n in self.baselines else f"`{n}`" for n in summed]
        papers = ["paper: Hessian-free", "paper: DataInf"]
        return "AUC / recall:\n\n" + markdown_table(
            ["task", "gradient", *head, *papers], lines
        )

    def table(self, group: Group) -> str:
        """Write what was measured on one task, a line a variant.

        Args:
            group: Task and rank.

        Returns:
            The table.
        """
        return markdown_table(
            [
                "method",
                *(f"{n}, {said}" for said in self.sides.values() for n in _SAID),
                "seconds",
                "MiB",
                "worst residual",
                "seeds",
            ],
            [self._line(row) for row in self.rows(group)],
        )

    def _line(self, row: Mapping[str, Any]) -> Sequence[str]:
        name = row["method"]
        return [
            name if name in self.baselines else f"`{name}`",
            *(mean_text(row[m][side]) for side in self.sides for m in MEASURES),
            short(row["seconds"]),
            short(row["peak_mib"]),
            short(row["residual"]),
            str(row["seeds"]),
        ]


_SAID = ("AUC", "recall")


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
            "open: the interval holds the paper's gap, and none."
            if same
            else "not reproduced: no clear gap, and the paper's is another."
        )
    if same:
        return "reproduced, order and size."
    return f"order reproduced, with {gap.mean / told:.2g} times the paper's gap."


def both(auc: float, recall: float) -> str:
    """Write AUC and recall.

    Args:
        auc: The one.
        recall: The other.

    Returns:
        Such as ".820 / .687".
    """
    return f"{share(auc)} / {share(recall)}"


def _cell(row: Mapping[str, Any] | None, side: str) -> str:
    if row is None:
        return DASH
    return both(*(float(np.mean(row[name][side])) for name in MEASURES))
