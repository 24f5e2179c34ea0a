"""Judge scores by retraining: the linear datamodelling score, leave one out, pruning.

out/run.yaml          replays the run
out/adapter/          the adapter of the recipe, where none was named
out/train/, queries-* gradients, where methods are judged
out/retrained/        one small file a retraining; shared by everything that is judged
out/lds.csv           one row for each set of scores and design (loo.csv, prune.csv)
out/lds.json          the same with each query's own value, seeds and settings
out/verdict.md        what it means, on one page (lds)
"""

from collections.abc import Mapping
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
from datainf.estimators.table import METHODS
from datainf.workflows.contenders import (
    DEFAULT_METHODS,
    Contender,
    contenders,
    saved_scores,
    scores_of,
)
from datainf.workflows.ground import Ground
from datainf.workflows.pair import collected
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
    if methods and ground.model is not None:
        entries = (METHODS.get(one.method) for one in methods)  # baselines have none
        factors = any(entry and entry.cls.needs_factors for entry in entries)
        collecting = asdict(ground.config.collect)
        with collected(
            ground.model,
            ground.train.dataset,
            ground.queries.dataset,
            ground.task,
            cache=ground.config.out,
            progress=reporter,
            **{**collecting, "factors": factors or collecting["factors"]},
        ) as pair:
            found += [(one.name, scores_of(one, ground, pair)) for one in methods]
    ground.release_model()
    return found


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
