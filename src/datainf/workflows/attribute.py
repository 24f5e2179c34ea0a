"""Attribute: which training examples taught the model these outputs; the main job.

collect(train) + collect(queries) + score. Both stores lie in the cache folder:

    train/               gradients of the training examples
    queries-1a2b3c4d/    gradients of one set of queries, by the start of its hash
    curvature-sampled-4-0/  with fisher="sampled": the training examples at labels drawn
                         from the model, by the number of draws and their seed

so that other queries never collide with these, and the training gradients, the
expensive part, are reused as long as model, adapter, task, data and options are the
same.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from datainf.core.canonical import sha256_of
from datainf.core.errors import OptionError, near
from datainf.core.options import CollectOptions, Fisher, Output, ScoreOptions
from datainf.core.records import Scores
from datainf.core.task import Task
from datainf.estimators.base import Estimator
from datainf.estimators.table import METHODS, build
from datainf.integrations.fingerprint import hash_row
from datainf.store.reader import GradientStore
from datainf.workflows.collect import collect, collect_options
from datainf.workflows.fisher import (
    curvature_name,
    require_collected,
    require_fisher,
)
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.rows import numbered, read_by_number
from datainf.workflows.score import score

TRAIN = "train"

# What `score` takes that is no option of an estimator.
_BESIDE = ("keep_blocks", "fisher", "agreement")


@dataclass(frozen=True)
class Pair:
    """Two collected stores of one model.

    Attributes:
        train: Gradients of the training examples.
        queries: Gradients of the queries.
        curvature: Gradients at drawn labels, where the Fisher is sampled.
    """

    train: GradientStore
    queries: GradientStore
    curvature: GradientStore | None = None


def attribute(  # noqa: PLR0913 - the call of the README, by name
    model: nn.Module,
    train: Any,
    queries: Any,
    task: Task | Any,
    *,
    method: str | Estimator = "datainf",
    cache: str | Path | None = None,
    adapter_name: str | None = None,
    progress: Reporter | None = None,
    **options: Any,
) -> Scores:
    """Score every training example for every query.

    Args:
        model: A PEFT model, on any device.
        train: The examples it was trained on: `datasets.Dataset`, list of dictionaries,
            or any sized indexable.
        queries: The outputs to explain, likewise.
        task: A task such as `CausalLM(tokenizer)`, or a loss `(model, batch) -> [B]`.
        method: A name of `datainf.methods()`, or an estimator.
        cache: Folder for the gradient stores, resumed and reused; a temporary one when
            not given.
        adapter_name: Which adapter; the active one when not given.
        progress: Told the coverage, warnings and how far it is.
        **options: Fields of `CollectOptions` (`dtype`, `batch_tokens`, ...), then
            `fisher`, `damping`, `blocks`, `normalize`, `keep_blocks`, `agreement`, then
            options of the method. With `fisher="sampled"`, the curvature is made of
            gradients at labels that the model draws, `samples` an example, chosen by
            `sample_seed`.

    Returns:
        Scores `[Q, N]`; negative = proponent.

    Example:
        >>> scores = attribute(model, train, queries, task, cache="runs/mine")
        ... # doctest: +SKIP
        >>> scores.top(5)  # doctest: +SKIP
    """
    collecting, scoring = split_options(options)
    estimator = check_scoring(method, scoring)
    fisher = take_fisher(scoring, estimator, collect_options(collecting))
    collecting |= wanted_factors(estimator)
    with collected(
        model,
        train,
        queries,
        task,
        cache=cache,
        adapter_name=adapter_name,
        progress=progress,
        fisher=fisher,
        **collecting,
    ) as pair:
        return score(
            pair.train,
            pair.queries,
            method=method,
            curvature=pair.curvature,
            **scoring,
        )


@contextmanager
def collected(  # noqa: PLR0913 - as attribute
    model: nn.Module,
    train: Any,
    queries: Any,
    task: Task | Any,
    *,
    cache: str | Path | None,
    adapter_name: str | None = None,
    progress: Reporter | None = None,
    fisher: Fisher = Fisher.EMPIRICAL,
    **options: Any,
) -> Iterator[Pair]:
    """Collect training examples and queries, for as long as their folder is there.

    Args:
        model: As for `attribute`.
        train: As for `attribute`.
        queries: As for `attribute`.
        task: As for `attribute`.
        cache: As for `attribute`.
        adapter_name: As for `attribute`.
        progress: As for `attribute`.
        fisher: Whether labels are drawn for the curvature.
        **options: Fields of `CollectOptions`.

    Yields:
        The two stores, and that of the curvature where it is another.
    """
    chosen = collect_options(options)
    reporter = progress or Logged()
    shared = {"adapter_name": adapter_name, "progress": reporter, **_own(options)}
    with _folder(cache) as folder:
        # Queries are few: what is wrong with them shows before the long part.
        reporter.say("queries:")
        asked = collect(
            model,
            queries,
            task,
            out=folder / queries_name(queries),
            **{**shared, "reuse": None},
        )
        reporter.say("training examples:")
        rows, curvature = _rows(model, train, task, folder, fisher, chosen, shared)
        yield Pair(rows, asked, curvature)


@contextmanager
def collected_train(
    model: nn.Module,
    train: Any,
    task: Task | Any,
    *,
    cache: str | Path | None,
    progress: Reporter | None = None,
    fisher: Fisher = Fisher.EMPIRICAL,
    **options: Any,
) -> Iterator[tuple[GradientStore, GradientStore | None]]:
    """Collect training examples alone, for as long as their folder is there.

    Args:
        model: As for `attribute`.
        train: As for `attribute`.
        task: As for `attribute`.
        cache: As for `attribute`.
        progress: As for `attribute`.
        fisher: As for `collected`.
        **options: Fields of `CollectOptions`.

    Yields:
        The store, and that of the curvature where it is another.
    """
    chosen = collect_options(options)
    shared = {"progress": progress or Logged(), **_own(options)}
    with _folder(cache) as folder:
        yield _rows(model, train, task, folder, fisher, chosen, shared)


def _own(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of gradients at own labels, which need no Kronecker factors."""
    drawing = ("samples", "sample_seed", "factors")
    return {name: value for name, value in options.items() if name not in drawing}


def _rows(
    model: nn.Module,
    train: Any,
    task: Task | Any,
    folder: Path,
    fisher: Fisher,
    chosen: CollectOptions,
    shared: Mapping[str, Any],
) -> tuple[GradientStore, GradientStore | None]:
    """Collect the training examples, and at drawn labels where those are asked for.

    Returns:
        Both stores. Kronecker factors, if any, are those of the curvature's rows.
    """
    drawing = fisher == Fisher.SAMPLED
    own = {**shared, "factors": chosen.factors and not drawing}
    rows = collect(model, train, task, out=folder / TRAIN, **own)
    if not drawing:
        return rows, None
    shared["progress"].say("training examples, at labels that the model draws:")
    place = folder / curvature_name(chosen)
    drawn = {
        "output": Output.SAMPLED,
        "samples": chosen.samples,
        "sample_seed": chosen.sample_seed,
        # Its own rows serve again where those of the training store do.
        "reuse": None if chosen.reuse is None else place,
    }
    options = {**shared, **drawn, "factors": chosen.factors}
    return rows, collect(model, train, task, out=place, **options)


def queries_name(queries: Any) -> str:
    """Name the folder of a set of queries by what is in it.

    Args:
        queries: The queries.

    Returns:
        As in "queries-1a2b3c4d".

    Raises:
        OptionError: If the queries cannot be read by number.
    """
    if not read_by_number(queries):
        raise OptionError(
            f"queries must have a length and be read by number, got a "
            f"{type(queries).__name__}; one query is a list of one dictionary."
        )
    hashes = [hash_row(query) for _, query in numbered(queries)]
    return f"queries-{sha256_of(hashes)[:8]}"


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
        known = [*own, *_BESIDE, *(f.name for f in fields(CollectOptions))]
        for name in scoring:
            if name not in known:
                raise OptionError(f"option {name!r} is unknown: {near(name, known)}.")
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
    scoring: dict[str, Any], estimator: Estimator, collecting: CollectOptions
) -> Fisher:
    """Take the Fisher out of the options, since it is none of `score`.

    Args:
        scoring: Options of scoring; `fisher` is removed.
        estimator: The method.
        collecting: How gradients will be collected.

    Returns:
        The Fisher that is asked for.
    """
    require_collected(estimator, collecting)
    return require_fisher(scoring.pop("fisher", None), estimator, collecting)


def wanted_factors(estimator: Estimator) -> dict[str, bool]:
    """Ask for Kronecker factors of the training rows where the method needs them.

    Args:
        estimator: The method.

    Returns:
        An option of collecting, or none.
    """
    return {"factors": True} if estimator.needs_factors else {}


@contextmanager
def _folder(cache: str | Path | None) -> Iterator[Path]:
    if cache is not None:
        yield Path(cache)
        return
    with TemporaryDirectory(prefix="datainf-") as name:
        yield Path(name)
