"""Variants: every method of the table, with the settings that are compared.

A method that joins the table joins every experiment; one that refuses to run on a store
of one adapter (since it needs several checkpoints, say) is left out, with its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from datainf.core.checkpoint import Checkpoint, Moments
from datainf.core.errors import DatainfError
from datainf.core.options import Normalize
from datainf.estimators.held_out import LEAST
from datainf.estimators.table import METHODS
from datainf.store.memory import InMemorySource
from datainf.workflows.score import score

DAMPINGS: tuple[float | str, ...] = (0.01, 0.1, 1.0, 10.0, "auto")

LIKE_OTHERS = ("cg", "auto", "tracin")
"""On one adapter they score as `exact`, `exact` and `dot` do: that is seen by their own
settings, and varying them would say it again, slowly."""


@dataclass(frozen=True)
class Variant:
    """A method with options other than its own defaults.

    Attributes:
        method: Its name in the table.
        options: What `score` is given beside it.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> dict[str, Any]:
        """Name it among the cells of a unit."""
        return {"method": self.method, "options": dict(self.options)}

    @property
    def label(self) -> str:
        """Name it for people."""
        options = (
            f"{name} {value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.options.items()
        )
        return ", ".join([self.method, *options])


def defaults() -> list[Variant]:
    """Give every method once, as its name alone would run."""
    return [Variant(name) for name in METHODS]


def all_variants(dampings: Sequence[float | str] = DAMPINGS) -> list[Variant]:
    """Give every method with every normalisation, and by damping where it has one.

    Those of `LIKE_OTHERS` only as their names alone would run.

    Args:
        dampings: Tried without normalisation and with rows of unit length.

    Returns:
        Each variant once, a method's own defaults first.
    """
    found = []
    for name, entry in METHODS.items():
        found.append(Variant(name))
        if name in LIKE_OTHERS:
            continue
        for normalize in Normalize:
            if normalize is not Normalize.NONE:
                found.append(Variant(name, {"normalize": str(normalize)}))
        if not entry.cls.divides:
            continue
        for damping in dampings:
            found.append(Variant(name, {"damping": damping}))
            unit = {"normalize": str(Normalize.EXAMPLE), "damping": damping}
            found.append(Variant(name, unit))
    return found


def refusals(variants: Sequence[Variant]) -> dict[str, str]:
    """Try every variant on a handful of numbers, to know which cannot run here.

    Args:
        variants: What is to run.

    Returns:
        Label -> the method's own words, for those that refuse.
    """
    generator = torch.Generator().manual_seed(0)
    rows, query = (
        InMemorySource(
            {"a": torch.randn(n, 3, generator=generator)},
            losses=torch.zeros(n),
            factors={},
        )
        for n in (max(5, LEAST), 1)
    )
    moments = Moments({"a": torch.zeros(3)}, {"a": torch.ones(3)}, {"a": 1})
    found = {}
    for variant in variants:
        given = {"method": variant.method, "agreement": False, **variant.options}
        sources: tuple[Any, ...] = (rows, query)
        if METHODS[variant.method].cls.needs_moments:
            sources = ([Checkpoint(rows, query, moments=moments)],)
        try:
            score(*sources, **given)
        except DatainfError as error:
            found[variant.label] = str(error)
    return found
