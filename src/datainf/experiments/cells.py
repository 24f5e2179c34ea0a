"""The loop of experiments on adapters: what is not measured yet, adapter by adapter."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

from datainf.experiments.presets import Study
from datainf.experiments.records import Records, alone_in
from datainf.experiments.surroundings import surroundings
from datainf.experiments.units import Opened, Unit, opened
from datainf.experiments.variants import Variant
from datainf.workflows.progress import Advance, Logged, Reporter
from datainf.workflows.workers import worker_pool

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

    Raises:
        StoreBusyError: If another run works in the folder.
        StoreError: If one of several workers is killed.
    """
    say, folder = progress or Logged(), Path(out)
    with alone_in(folder):
        records = Records(folder / f"{name}.jsonl", surroundings())
        work = _Work(study, folder, cells)

        def missing(unit: Unit) -> list[Key]:
            own = unit.key(study)
            return [
                key
                for key in keys
                if wanted(unit, key)
                and {**own, **key} not in records
                and _label(key) not in refused
            ]

        with say.stage(f"{name}: adapters", len(units)) as advance:
            if study.workers == 1:
                for unit in units:
                    work.measure(unit, missing(unit), refused, records)
                    advance(1)
            else:
                _side_by_side(work, units, missing, refused, records, advance)
        for label, reason in refused.items():
            say.say(f"{label} is left out: {reason}")
    return Measured(study, records, units, refused)


@dataclass(frozen=True)
class _Work:
    """What is done on one adapter, here or in a process of its own."""

    study: Study
    folder: Path
    cells: Cells

    def measure(
        self, unit: Unit, missing: Sequence[Key], refused: Refused, records: Records
    ) -> None:
        """Measure the missing cells; an adapter that lacks none is not opened."""
        if not missing:
            return
        own, started = unit.key(self.study), perf_counter()
        with opened(unit, self.study, self.folder) as subject:
            for key, result in self.cells(unit, subject, missing, refused):
                # The first of a unit waits for training.
                now = perf_counter()
                records.add({**own, **key}, result, seconds=now - started)
                started = now


def _side_by_side(
    work: _Work,
    units: Sequence[Unit],
    missing: Callable[[Unit], list[Key]],
    refused: Refused,
    records: Records,
    advance: Advance,
) -> None:
    """Measure as many adapters at a time as there are workers."""
    left, running = deque(units), set[Future[tuple[Records, Refused]]]()
    workers = min(work.study.workers, len(units))
    with worker_pool(workers, _prepare, work, records.path) as pool:
        while left or running:
            while left and len(running) < workers:
                unit = left.popleft()
                keys = missing(unit)
                if keys:
                    running.add(pool.submit(_in_worker, unit, keys, dict(refused)))
                else:
                    advance(1)
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                added, found = future.result()
                records.learn(added)
                refused.update(found)
                advance(1)


_of_this_process: dict[str, Any] = {}


def _prepare(work: _Work, path: Path) -> None:
    # Asked here, where the threads are those that measure.
    _of_this_process.update(work=work, path=path, made=surroundings())


def _in_worker(
    unit: Unit, missing: Sequence[Key], refused: Refused
) -> tuple[Records, Refused]:
    """Measure one adapter; each cell is on disk before the first process knows."""
    records = Records.growing(_of_this_process["path"], _of_this_process["made"])
    _of_this_process["work"].measure(unit, missing, refused, records)
    return records, refused


def _label(key: Key) -> str:
    return Variant(key["method"], key["options"]).label
