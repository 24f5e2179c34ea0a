"""`datainf reproduce counterfactual`: which scores foretell what retraining shows?

The linear datamodelling score, leaving examples out one by one, and dropping the
strongest proponents, for every method, damping and block grouping, by the very
workflows of `datainf evaluate`. Retrainings are kept in the folder of the experiment,
so that a later method is judged without any.

Cells: one an adapter and design, kept in `counterfactual.jsonl`, with every score.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from time import perf_counter
from typing import Any

from datainf.core.canonical import sha256_of
from datainf.core.durable import write_durably
from datainf.core.errors import OptionError
from datainf.core.evaluate_options import BatchOrder, EvaluateOptions
from datainf.core.run_config import RunConfig
from datainf.experiments.data.rows_on_disk import keep_rows
from datainf.experiments.judged import ALL_JUDGED, Judged, JudgedStudy
from datainf.experiments.records import Records, alone_in
from datainf.experiments.surroundings import surroundings
from datainf.experiments.units import model_id
from datainf.integrations.base_copy import copy_without_dropout
from datainf.workflows.evaluate import Evaluated
from datainf.workflows.evaluate_lds import lds_run
from datainf.workflows.evaluate_loo import loo_run
from datainf.workflows.evaluate_prune import prune_run
from datainf.workflows.ground import RETRAINED
from datainf.workflows.progress import Logged, Reporter

NAME = "counterfactual"
BASELINES = ("tfidf", "loss", "random")
METHODS = (
    "dot:normalize=none/block/relatif",
    "scaled-dot:normalize=none/block",
    "cosine",
    "datainf:damping=0.1/1/10/auto,normalize=none/example/block/relatif",
    "datainf:blocks=module/layer/all",
    "exact:damping=0.1/1/10/100/auto,normalize=none/example/block/relatif",
    "exact:damping=0.1/1/10/100,blocks=module/layer/all",
    "ekfac:damping=0.1/1/10/100,normalize=none/example/block",
    "lissa",
    *BASELINES,
)
"""What is judged of one state of the adapter; cg is exact."""
ALONG = (
    "tracin:normalize=none/example/block",
    "less",
    "trak:damping=0.1/1/10",
)
"""What looks at the epochs' checkpoints, or at margins: in cells of its own."""
PRUNED = (
    "dot:normalize=none/block",
    "scaled-dot",
    "cosine",
    "datainf:normalize=none/block",
    "exact:damping=0.1/1/10",
    "exact:damping=10/100,normalize=block",
    "ekfac:damping=0.1",
    "ekfac:damping=1,normalize=block",
    *BASELINES,
)
"""What drops its proponents: a training each."""
_DIGITS = 4
_COPIED = "copied_from.txt"


@dataclass(frozen=True)
class Cell:
    """One judgement of one adapter.

    Attributes:
        judged: The adapter.
        kind: lds, loo or prune.
        order: What becomes of the batches.
        removed: Share that is left out, or dropped; None for single examples.
        sets: Retrainings: subsets, examples, or random sets.
        twins: Retrainings with a second seed.
        along: Whether it is about methods along the training and of margins.
    """

    judged: Judged
    kind: str
    order: BatchOrder
    removed: float | None
    sets: int
    twins: int
    along: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """What is judged."""
        if self.along:
            return ALONG
        return PRUNED if self.kind == "prune" else METHODS

    def is_of(self, other: "Cell") -> bool:
        """Tell whether two cells are about the same retrainings."""
        return self == replace(other, along=self.along)

    def key(self, study: JudgedStudy) -> dict[str, Any]:
        """Name the cell: what decides it, and no place on a machine.

        Args:
            study: Says the base of classifiers.

        Returns:
            JSON values.
        """
        return {
            "judged": self.judged.name,
            "judgement": self.kind,
            "order": str(self.order),
            "removed": self.removed,
            "sets": self.sets,
            "twins": self.twins,
            "model": model_id(study.base_of(self.judged)),
            "settings": sha256_of(self.judged.settings())[:12],
            "methods": sha256_of(list(self.methods))[:12],
        }


@dataclass(frozen=True)
class Findings:
    """What was judged so far.

    Attributes:
        study: How thoroughly.
        records: The cells.
        cells: Which there are to be.
    """

    study: JudgedStudy
    records: Records
    cells: tuple[Cell, ...]

    def measured(self, cell: Cell) -> dict[str, Any] | None:
        """Give the result of a cell; None where it is not measured."""
        return self.records.get(cell.key(self.study))

    def there(self) -> Iterator[tuple[Cell, dict[str, Any]]]:
        """Give the cells that are measured, with their results.

        Yields:
            Each design once: what methods along the training scored on the very same
            retrainings stands among the other scores.
        """
        for cell in self.cells:
            result = self.measured(cell)
            if result is None or cell.along:
                continue
            scores = dict(result["scores"]) if cell.kind == "lds" else result["scores"]
            for other in self.cells:
                more = self.measured(other) if other.along else None
                if more is not None and other.is_of(cell):
                    scores |= more["scores"]
            yield cell, {**result, "scores": scores}


def cells_of(study: JudgedStudy) -> list[Cell]:
    """List all that is to be judged: every adapter's first plan before the others.

    Args:
        study: How thoroughly.

    Returns:
        The cells.
    """
    judged = [ALL_JUDGED[name] for name in study.judged]
    rounds = zip_longest(*(one.plans[: study.plans] for one in judged))
    found = [
        Cell(
            one,
            "lds",
            plan.order,
            plan.removed,
            round(plan.part * study.subsets),
            round(plan.part * study.twins),
        )
        for plans in rounds
        for one, plan in zip(judged, plans, strict=True)
        if plan is not None
    ]
    kept, anew, twins = BatchOrder.KEPT, BatchOrder.RESHUFFLED, study.twins
    own = [one for one in judged if one.like is None]
    designs = list(found)
    if study.left_out:
        found += [Cell(one, "loo", kept, None, study.left_out, twins) for one in own]
    for share in study.drop:
        found += [Cell(one, "prune", anew, share, study.random, 0) for one in own]
    found += [replace(one, along=True) for one in designs if one.judged.along]
    return found


def run(
    study: JudgedStudy, out: str | Path, *, progress: Reporter | None = None
) -> Findings:
    """Judge whatever is not judged yet; each cell is kept at once.

    Args:
        study: How thoroughly.
        out: Folder for records, adapters and retrainings.
        progress: Told how far it is.

    Returns:
        What was found.

    Raises:
        OptionError: If the folder holds results on other rows or another base.
        StoreBusyError: If another run works in the folder.
    """
    say, folder = progress or Logged(), Path(out)
    with alone_in(folder):
        records = Records(folder / f"{NAME}.jsonl", surroundings())
        cells = cells_of(study)
        runs = {
            (cell.judged.name, cell.along): _run_of(cell, study, folder / NAME)
            for cell in cells
        }
        missing = [cell for cell in cells if cell.key(study) not in records]
        for number, cell in enumerate(missing, start=1):
            share = "" if cell.removed is None else f", {cell.removed:.0%}"
            say.say(
                f"{number} of {len(missing)}: {cell.judged.name}, {cell.kind}, batches "
                f"{cell.order}{share}"
            )
            options = _options(cell, study, folder / NAME)
            config = replace(runs[cell.judged.name, cell.along], evaluate=options)
            started = perf_counter()
            found = _JUDGES[cell.kind](config, say)
            result = _RESULTS[cell.kind](found)
            records.add(cell.key(study), result, seconds=perf_counter() - started)
    return Findings(study, records, tuple(cells))


def _run_of(cell: Cell, study: JudgedStudy, folder: Path) -> RunConfig:
    """Describe an adapter that is judged as a run, with its rows and base on disk."""
    judged = cell.judged
    rows = judged.rows(study.data_dir, judged.train_rows, judged.queries)
    own = folder / judged.name
    files = keep_rows(own, {"train": rows.train, "queries": rows.queries})
    base = study.base_of(judged)
    recipe, out = judged.recipe, own
    if cell.along:
        kept = {**recipe.training, "save_strategy": "epoch"}
        recipe, out = replace(recipe, training=kept), own / "along"
    return RunConfig(
        model=base if judged.dropout else _without_dropout(base, own / "base"),
        task={**rows.task, **judged.task},
        train=files["train"],
        queries=files["queries"],
        recipe=recipe,
        out=str(out),
    )


def _options(cell: Cell, study: JudgedStudy, folder: Path) -> EvaluateOptions:
    """Say how a cell is judged."""
    judged, share = cell.judged, cell.removed or 0.5
    return EvaluateOptions(
        methods=cell.methods,
        remove=[share],
        order=[cell.order],
        subsets=cell.sets,
        twins=cell.twins,
        drop=[max(1, round(share * judged.train_rows))],
        workers=study.workers,
        retrained=str(folder / (judged.like or judged.name) / RETRAINED),
    )


def _without_dropout(base: str, copy: Path) -> str:
    """Copy a base once; what it is a copy of is written last, and stands for it."""
    known, wanted = copy / _COPIED, model_id(base)
    if not known.is_file():
        copy_without_dropout(base, copy)
        write_durably(known, [wanted.encode()])
    copied = known.read_text(encoding="utf-8")
    if copied != wanted:
        raise OptionError(
            f"{copy} is a copy of {copied}, and --model {base} is {wanted}; give "
            "another --out."
        )
    return str(copy)


def _design(found: Evaluated) -> dict[str, Any]:
    """Keep the only design of an evaluation."""
    (design,) = found.details["designs"]
    return _rounded(dict(design))


def _pruned(found: Evaluated) -> dict[str, Any]:
    """Keep what every method's proponents were worth."""
    return _rounded({"scores": list(found.details["designs"])})


def _rounded(value: Any) -> Any:
    """Round every number, for a file of a size that can be looked at."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value


_JUDGES: Mapping[str, Callable[[RunConfig, Reporter], Evaluated]] = {
    "lds": lds_run,
    "loo": loo_run,
    "prune": prune_run,
}
_RESULTS: Mapping[str, Callable[[Evaluated], dict[str, Any]]] = {
    "lds": _design,
    "loo": _design,
    "prune": _pruned,
}
