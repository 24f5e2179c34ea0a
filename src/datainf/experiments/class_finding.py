"""What the experiments of Table 2 share: do proponents come from the query's class?

A cell holds, for each of two gradients, AUC and recall of one variant on one unit.
`class_finding_page.py` writes it down, `class_finding_figure.py` draws it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datainf.evaluation.seeds import SeedMean, seed_mean
from datainf.experiments import comparing
from datainf.experiments.cells import Measured
from datainf.experiments.comparing import Group, cells, groups, worst
from datainf.experiments.variants import Variant

MEASURES = ("auc", "recall")
_SAME = 5e-4
"""Measures that differ by less print alike: what a ranking and its repeat differ by."""


class Claim(NamedTuple):
    """What Table 2 has for a task and method."""

    auc: float
    recall: float


@dataclass(frozen=True)
class Told:
    """What Table 2 has for a task.

    Attributes:
        rank: LoRA rank of the paper's adapter.
        claims: Method -> what it reached; Hessian-free is `dot`.
    """

    rank: int
    claims: Mapping[str, Claim]

    @property
    def gap(self) -> float:
        """How much more AUC DataInf has than Hessian-free."""
        return self.claims["datainf"].auc - self.claims["dot"].auc


@dataclass(frozen=True)
class ClassFinding:
    """One experiment, as its page reads it.

    Attributes:
        measured: What was measured.
        variants: What was compared.
        baselines: What looks at no gradient.
        sides: Name of each gradient in a cell -> in words; the first decides the order.
        papers: Data set -> what the paper has.
        published: The sides that the paper's numbers can be of.
    """

    measured: Measured
    variants: Sequence[Variant]
    baselines: Sequence[str]
    sides: Mapping[str, str]
    papers: Mapping[str, Told]
    published: Sequence[str]

    @property
    def first(self) -> str:
        """The gradient that training lowered."""
        return next(iter(self.sides))

    @property
    def every(self) -> list[Variant]:
        """Variants and baselines."""
        return [*self.variants, *map(Variant, self.baselines)]

    @cached_property
    def alike(self) -> Mapping[str, str]:
        """Label of a variant -> of the first that ranks alike on every unit and side.

        By its measures: the same to the third digit on each seed, such as `cg` beside
        `exact`, or `cosine` beside `dot` of rows of unit length.
        """
        known: dict[str, dict[Any, float]] = {}
        found: dict[str, str] = {}
        for variant in self.variants:
            own = dict(self._numbers(variant))
            same = (name for name, other in known.items() if _same(own, other))
            first = next(same, None) if own else None
            if first is None:
                known[variant.label] = own
            else:
                found[variant.label] = first
        return found

    def _numbers(self, variant: Variant) -> Iterator[tuple[Any, float]]:
        """Give every measure of a variant by task, seed and side."""
        for unit, own in self.measured.keys.items():
            cell = self.measured.records.get({**own, **variant.key})
            if cell is not None:
                for side in self.sides:
                    for name in MEASURES:
                        yield (unit, side, name), cell[side][name]

    def rows(self, group: Group) -> list[dict[str, Any]]:
        """Arrange what was measured on one task, best AUC of the first gradient first.

        Args:
            group: Task and rank.

        Returns:
            One mapping a variant and baseline: `auc` and `recall` by gradient, a seed
            each.
        """
        found = []
        for variant in self.every:
            results = cells(self.measured, group, variant.key)
            if not results:
                continue
            own = [one[self.first] for one in results]
            row: dict[str, Any] = {
                "method": variant.label,
                "seconds": float(np.median([one["seconds"] for one in own])),
                "peak_mib": worst(own, "peak_mib"),
                "residual": worst(own, "residual"),
                "converged": not any(map(_stopped_early, own)),
                "seeds": len(results),
            }
            for name in MEASURES:
                row[name] = {s: [one[s][name] for one in results] for s in self.sides}
            found.append(row)
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

    def between(self, group: Group, variant: Variant) -> SeedMean | None:
        """Give how much more AUC a method has by the first gradient than by the second.

        Args:
            group: Task and rank.
            variant: The method.

        Returns:
            The difference with its interval; None where nothing is measured.
        """
        results = cells(self.measured, group, variant.key)
        if not results:
            return None
        mine, theirs = ([one[side]["auc"] for one in results] for side in self.sides)
        return seed_mean(np.subtract(mine, theirs))


def _same(first: Mapping[Any, float], second: Mapping[Any, float]) -> bool:
    return first.keys() == second.keys() and all(
        abs(value - second[key]) < _SAME for key, value in first.items()
    )


def _stopped_early(result: Mapping[str, Any]) -> bool:
    return any(note.startswith("not converged") for note in result.get("notes", ()))
