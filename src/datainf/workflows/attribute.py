"""Attribute: which training examples taught the model these outputs; the main job.

collect(train) + collect(queries) + score. The stores lie in the cache folder, and are
reused as long as nothing changed (`pair.py`); over several checkpoints, in one folder
for each (`checkpoints.py`).
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from torch import nn

from datainf.core.errors import require_options
from datainf.core.options import CollectOptions, Fisher, ScoreOptions
from datainf.core.records import Scores
from datainf.core.task import Task
from datainf.estimators.base import Estimator
from datainf.estimators.table import METHODS, build
from datainf.integrations.diffusion.pipelines import Pipeline, as_module
from datainf.workflows.checkpoints import Places, chosen_checkpoints, gathered
from datainf.workflows.collect import collect_options
from datainf.workflows.drawn_queries import drawn_queries
from datainf.workflows.fisher import require_collected, require_fisher
from datainf.workflows.pair import folder_of
from datainf.workflows.progress import Reporter
from datainf.workflows.score import score

# What `score` takes that is no option of an estimator.
_BESIDE = ("keep_blocks", "fisher", "agreement")


def attribute(  # noqa: PLR0913 - the call of the README, by name
    model: nn.Module | Pipeline,
    train: Any,
    queries: Any,
    task: Task | Any,
    *,
    method: str | Estimator = "datainf",
    cache: str | Path | None = None,
    adapter_name: str | None = None,
    checkpoints: Places | None = None,
    checkpoint_limit: int | None = None,
    progress: Reporter | None = None,
    **options: Any,
) -> Scores:
    """Score every training example for every query.

    Args:
        model: A PEFT model, or a pipeline of diffusers with its LoRA loaded, on any
            device.
        train: The examples it was trained on: `datasets.Dataset`, list of dictionaries,
            or any sized indexable.
        queries: The outputs to explain, likewise; of text-to-image, rows without an
            image are drawn first, from their prompt and their column `seed`.
        task: A task such as `CausalLM(tokenizer)`, or a loss `(model, batch) -> [B]`.
        method: A name of `datainf.methods()`, or an estimator.
        cache: Folder for the gradient stores, resumed and reused; a temporary one when
            not given.
        adapter_name: Which adapter; the active one when not given.
        checkpoints: Score over these checkpoints of the adapter's training: a folder of
            the Trainer's `checkpoint-STEP`, or their own folders. `tracin` and `less`
            weigh each by the mean learning rate that led to it; scores of other methods
            are averaged.
        checkpoint_limit: At most so many of them, evenly spread, the last among them.
        progress: Told the coverage, warnings and how far it is.
        **options: Fields of `CollectOptions` (`dtype`, `batch_tokens`, ...), then
            `fisher`, `damping`, `blocks`, `normalize`, `keep_blocks`, `agreement`, then
            options of the method. With `fisher="sampled"`, the curvature is made of
            gradients at labels that the model draws, `samples` an example, chosen by
            `sample_seed`.

    Returns:
        Scores `[Q, N]`; negative = proponent.

    Examples:
        >>> scores = attribute(model, train, queries, task, cache="runs/mine")
        ... # doctest: +SKIP
        >>> scores.top(5)  # doctest: +SKIP
    """
    module = as_module(model)
    collecting, scoring = split_options(options)
    estimator = check_scoring(method, scoring)
    saved = chosen_checkpoints(estimator, checkpoints, checkpoint_limit)
    fisher = take_fisher(
        scoring, estimator, collect_options(collecting), over=saved is not None
    )
    collecting |= wanted_factors(estimator)
    with (
        folder_of(cache) as folder,
        gathered(
            module,
            train,
            drawn_queries(
                module,
                task,
                queries,
                folder,
                adapter_name=adapter_name,
                progress=progress,
            ),
            task,
            saved,
            estimator,
            cache=folder,
            adapter_name=adapter_name,
            progress=progress,
            fisher=fisher,
            **collecting,
        ) as found,
    ):
        return score(**found.sources, method=method, **scoring)


def split_options(
    options: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell the options of collecting from those of scoring.

    Args:
        options: Both together.

    Returns:
        Those that `CollectOptions` has, and the rest.
    """
    names = {f.name for f in fields(CollectOptions)}
    collecting = {name: value for name, value in options.items() if name in names}
    scoring = {name: value for name, value in options.items() if name not in names}
    return collecting, scoring


def check_scoring(method: str | Estimator, scoring: Mapping[str, Any]) -> Estimator:
    """Refuse wrong options of scoring before the model works.

    Args:
        method: A name or an estimator.
        scoring: What will be passed to `score`, and `fisher`.

    Returns:
        The estimator that they make.

    Raises:
        OptionError: If one is nobody's; names the near one, of collecting too.
    """
    shared = {f.name for f in fields(ScoreOptions)} - {
        "method",
        "options",
        *_BESIDE,
    }
    entry = METHODS.get(method) if isinstance(method, str) else None
    kind = entry.cls if entry else type(method)
    if is_dataclass(kind):  # an unknown method is refused below
        own = [f.name for f in fields(kind)]
        collecting = (f.name for f in fields(CollectOptions))
        require_options(scoring, [*own, *_BESIDE, *collecting])
    return build(
        method,
        **{name: value for name, value in scoring.items() if name in shared},
        options={
            name: value
            for name, value in scoring.items()
            if name not in shared and name not in _BESIDE
        },
    )


def take_fisher(
    scoring: dict[str, Any],
    estimator: Estimator,
    collecting: CollectOptions,
    *,
    over: bool = False,
) -> Fisher:
    """Take the Fisher out of the options, since it is none of `score`.

    Args:
        scoring: Options of scoring; `fisher` is removed.
        estimator: The method.
        collecting: How gradients will be collected.
        over: Whether they will be over checkpoints.

    Returns:
        The Fisher that is asked for.
    """
    require_collected(estimator, collecting, over=over)
    return require_fisher(scoring.pop("fisher", None), estimator, collecting)


def wanted_factors(estimator: Estimator) -> dict[str, bool]:
    """Ask for Kronecker factors of the training rows where the method needs them.

    Args:
        estimator: The method.

    Returns:
        An option of collecting, or none.
    """
    return {"factors": True} if estimator.needs_factors else {}
