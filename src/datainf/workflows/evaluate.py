"""Judge scores by retraining: the linear datamodelling score, leave one out, pruning.

out/lds.run.yaml      replays the run (loo.run.yaml, prune.run.yaml)
out/adapter/          the adapter of the recipe, where none was named
out/train/, queries-* gradients, where methods are judged
out/margin/           the same of margins, where trak is
out/checkpoint-*/     the same at each checkpoint, where tracin or less is
out/retrained/        one small file a retraining; shared by everything that is judged
out/lds.csv           one row for each set of scores and design (loo.csv, prune.csv)
out/lds.json          the same with each query's own value, seeds and settings
out/verdict.md        what it means, on one page (lds)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from datainf.__about__ import __version__
from datainf.core.canonical import canonical_json
from datainf.core.durable import write_durably
from datainf.core.errors import OptionError
from datainf.core.options import CollectOptions, Output
from datainf.core.run_config import RunConfig
from datainf.integrations.peft import adapter_of
from datainf.workflows.checkpoints import (
    Several,
    checkpoint_facts,
    chosen_checkpoints,
    gathered,
)
from datainf.workflows.contenders import (
    DEFAULT_METHODS,
    Contender,
    contenders,
    saved_scores,
    scores_of,
)
from datainf.workflows.fisher import require_collected
from datainf.workflows.ground import Ground
from datainf.workflows.pair import TRAIN, Pair
from datainf.workflows.progress import Reporter
from datainf.workflows.run_file import write_run


@dataclass(frozen=True)
class Evaluated:
    """Results of an evaluation.

    Attributes:
        table: One row for each set of scores and design.
        details: The same for programs: each query's own value, and what it rests on.
        files: What was written.
    """

    table: pd.DataFrame
    details: Mapping[str, Any]
    files: tuple[Path, ...]


def chosen(config: RunConfig) -> list[Contender]:
    """Tell which methods a run judges; checked before anything is trained.

    Args:
        config: The run.

    Returns:
        The methods; the default ones where neither methods nor scores are named.
    """
    options = config.evaluate
    methods = () if options is None else options.methods
    if not methods and not (options and options.scores):
        methods = DEFAULT_METHODS
    return contenders(methods)


def all_scores(
    ground: Ground, methods: list[Contender], reporter: Reporter
) -> list[tuple[str, NDArray[np.floating]]]:
    """Make or read every set of scores, and let go of the model.

    This comes before any retraining: what is wrong with scores shows in minutes.

    Args:
        ground: The data and the model.
        methods: What to compute.
        reporter: Told how far it is.

    Returns:
        A name and `[Q, N]` for each.
    """
    found = list(saved_scores(ground.options.scores, ground))
    made: dict[str, NDArray[np.floating]] = {}
    # What is missing shows before the first gradient.
    states = [(some, _checkpoints(some, ground)) for some in _alike(methods)]
    if ground.model is not None:
        for some, saved in states:
            with _gradients(ground.model, some, ground, saved, reporter) as stores:
                made |= {one.name: scores_of(one, ground, stores) for one in some}
    ground.release_model()
    return found + [(one.name, made[one.name]) for one in methods]


def _alike(methods: Sequence[Contender]) -> list[list[Contender]]:
    """Put together what is made of the same gradients."""
    found: dict[tuple[str, bool, bool], list[Contender]] = {}
    for one in methods:
        how = one.estimator
        key = (how.output, how.follows_training, how.needs_moments)
        found.setdefault(key, []).append(one)
    return list(found.values())


def _checkpoints(some: Sequence[Contender], ground: Ground) -> list[Path] | None:
    """Find the checkpoints of methods along training, with all that they need."""
    how = some[0].estimator
    if not how.follows_training:
        return None
    require_collected(how, CollectOptions(**_collecting(some, ground)[1]), over=True)
    saved = chosen_checkpoints(how, None, adapter=ground.config.adapter)
    if saved is None:
        raise OptionError(
            f"{some[0].name} follows the training, and {ground.config.adapter} has no "
            "checkpoints; train it with save_strategy: epoch in the recipe (retraining "
            "keeps none), or leave the method out."
        )
    if ground.model is not None:
        adapter = adapter_of(ground.model, None, ground.config.collect.parameters)
        checkpoint_facts(ground.model, adapter, saved, how)
    return saved


def _collecting(
    some: Sequence[Contender], ground: Ground
) -> tuple[Path, dict[str, Any]]:
    """Say where the gradients of methods alike lie, and how they are collected."""
    how, collecting = some[0].estimator, asdict(ground.config.collect)
    folder = Path(ground.config.out)
    if how.output not in (Output.LOSS, collecting["output"]):
        folder, collecting["output"] = folder / how.output, how.output
        if collecting["reuse"] is not None:
            # Rows of its own store serve again; those that were named are of the loss.
            collecting["reuse"] = str(folder / TRAIN)
    factors = any(one.estimator.needs_factors for one in some)
    return folder, {**collecting, "factors": factors or collecting["factors"]}


@contextmanager
def _gradients(
    model: nn.Module,
    some: Sequence[Contender],
    ground: Ground,
    saved: list[Path] | None,
    reporter: Reporter,
) -> Iterator[Pair | Several]:
    """Collect what some methods alike are made of, for as long as it is looked at."""
    folder, collecting = _collecting(some, ground)
    with gathered(
        model,
        ground.train.dataset,
        ground.queries.dataset,
        ground.task,
        saved,
        some[0].estimator,
        cache=folder,
        progress=reporter,
        **collecting,
    ) as stores:
        yield stores


def write_results(
    ground: Ground, name: str, table: pd.DataFrame, details: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write what an evaluation found, and the run that makes it again.

    Args:
        ground: The run.
        name: Of the files: lds, loo or prune.
        table: One row for each set of scores and design.
        details: What goes into the JSON file beside it.

    Returns:
        The files.
    """
    out = Path(ground.config.out)
    out.mkdir(parents=True, exist_ok=True)
    body = {
        "datainf": __version__,
        "retrained": {**ground.retrained.about, "folder": ground.retrained.folder.name},
        "findings": list(ground.findings),
        **details,
    }
    csv, facts = out / f"{name}.csv", out / f"{name}.json"
    write_durably(csv, [table.to_csv(index=False).encode()])
    write_durably(facts, [canonical_json(body).encode()])
    run = write_run(replace(ground.config, out=str(out)), out / f"{name}.run.yaml")
    return csv, facts, run
