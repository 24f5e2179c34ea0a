"""Judge scores by retraining: the linear datamodelling score, leave one out, pruning.

out/run.yaml          replays the run
out/adapter/          the adapter of the recipe, where none was named
out/train/, queries-* gradients, where methods are judged
out/retrained/        one small file a retraining; shared by everything that is judged
out/lds.csv           one row for each set of scores and design (loo.csv, prune.csv)
out/lds.json          the same with each query's own value, seeds and settings
out/verdict.md        what it means, on one page (lds)
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.__about__ import __version__
from datainf.core.canonical import canonical_json
from datainf.core.durable import write_durably
from datainf.core.run_config import RunConfig
from datainf.workflows.attribute import Pair, collected
from datainf.workflows.contenders import (
    BASELINES,
    DEFAULT_METHODS,
    Contender,
    contenders,
    saved_scores,
    scores_of,
)
from datainf.workflows.data import load_rows
from datainf.workflows.ground import Ground
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
) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Make or read every set of scores, one at a time.

    Args:
        ground: The data.
        methods: What to compute.
        reporter: Told how far it is.

    Yields:
        A name, and `[Q, N]`.
    """
    yield from saved_scores(ground.options.scores, ground)
    with _stores(ground, methods, reporter) as pair:
        for one in methods:
            yield one.name, scores_of(one, ground, pair)


@contextmanager
def _stores(
    ground: Ground, methods: list[Contender], reporter: Reporter
) -> Iterator[Pair | None]:
    """Collect gradients, where a method needs them."""
    free = [name for name in BASELINES if name != "loss"]
    if all(one.method in free for one in methods):
        yield None
        return
    config, task = ground.config, ground.subject.task
    with collected(
        ground.subject.model,
        ground.train.dataset,
        load_rows(config.queries, task).dataset if config.queries else None,
        task,
        cache=config.out,
        progress=reporter,
        **asdict(config.collect),
    ) as pair:
        yield pair


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
    run = write_run(replace(ground.config, out=str(out)), out)
    return csv, facts, run
