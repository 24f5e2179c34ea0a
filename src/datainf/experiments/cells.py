"""The loop of experiments on adapters: what is not measured yet, adapter by adapter."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

from datainf.experiments.presets import Study
from datainf.experiments.records import Records
from datainf.experiments.surroundings import surroundings
from datainf.experiments.units import Opened, Unit, opened
from datainf.experiments.variants import Variant
from datainf.workflows.progress import Logged, Reporter

Key = Mapping[str, Any]
ADAPTER: Key = {"method": "adapter", "options": {}}
"""The cell that says how well an adapter itself has learned."""
Refused = MutableMapping[str, str]
"""Label of a variant -> why it was left out."""

Cells = Callable[
    [Unit, Opened, Sequence[Key], Refused], Iterable[tuple[Key, Mapping[str, Any]]]
]
"""Measures the missing keys of one adapter, one after the other; notes refusals."""


@dataclass(frozen=True)
class Measured:
    """What an experiment has measured so far.

    Attributes:
        study: Its settings.
        records: Its cells.
        units: What they are of.
        refused: Label of a variant -> why it was left out.
    """

    study: Study
    records: Records
    units: Sequence[Unit]
    refused: Mapping[str, str]

    @cached_property
    def keys(self) -> Mapping[Unit, Key]:
        """The key of each unit: made once, since it reads the base's files."""
        return {unit: unit.key(self.study) for unit in self.units}


def measured(  # noqa: PLR0913 - what tells one experiment from another
    name: str,
    study: Study,
    out: str | Path,
    *,
    units: Sequence[Unit],
    keys: Sequence[Key],
    refused: Refused,
    cells: Cells,
    wanted: Callable[[Unit, Key], bool] = lambda _unit, _key: True,
    progress: Reporter | None = None,
) -> Measured:
    """Measure every cell that is not there yet; each is kept at once.

    Args:
        name: Of the experiment, and of its file of records.
        study: The settings.
        out: Folder for records, adapters and, meanwhile, stores.
        units: The adapters.
        keys: What is measured on each: `method` and `options`, and what else there is.
        refused: Variants that cannot run here; grows by those that refuse on the way.
        cells: Measures.
        wanted: Whether an adapter needs a key at all.
        progress: Told how far it is.

    Returns:
        The measurements.
    """
    say, folder = progress or Logged(), Path(out)
    records = Records(folder / f"{name}.jsonl", surroundings())
    with say.stage(f"{name}: adapters", len(units)) as advance:
        for unit in units:
            own = unit.key(study)
            missing = [
                key
                for key in keys
                if wanted(unit, key)
                and {**own, **key} not in records
                and _label(key) not in refused
            ]
            if missing:
                started = perf_counter()
                with opened(unit, study, folder) as subject:
                    for key, result in cells(unit, subject, missing, refused):
                        # The first of a unit waits for training.
                        now = perf_counter()
                        records.add({**own, **key}, result, seconds=now - started)
                        started = now
            advance(1)
    for label, reason in refused.items():
        say.say(f"{label} is left out: {reason}")
    return Measured(study, records, units, refused)


def _label(key: Key) -> str:
    return Variant(key["method"], key["options"]).label
