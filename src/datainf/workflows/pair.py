"""Pair: the gradients that a run scores, of training examples and of queries.

Both stores lie in the run's cache folder:

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
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from datainf.core.canonical import sha256_of
from datainf.core.errors import OptionError
from datainf.core.options import CollectOptions, Fisher, Output
from datainf.core.task import Task
from datainf.integrations.fingerprint import hash_row
from datainf.integrations.tasks.outputs import require_predictive
from datainf.store.reader import GradientStore
from datainf.workflows.collect import collect, collect_options
from datainf.workflows.fisher import curvature_name
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.rows import numbered, read_by_number

TRAIN = "train"


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

    @property
    def sources(self) -> dict[str, Any]:
        """What `score` takes of it."""
        return {
            "train": self.train,
            "queries": self.queries,
            "curvature": self.curvature,
        }


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
    if fisher == Fisher.SAMPLED:
        require_predictive(task, Output.SAMPLED)
    with folder_of(cache) as folder:
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
    if fisher == Fisher.SAMPLED:
        require_predictive(task, Output.SAMPLED)
    with folder_of(cache) as folder:
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


@contextmanager
def folder_of(cache: str | Path | None) -> Iterator[Path]:
    """Give the user's folder, or one that is gone afterwards.

    Args:
        cache: The folder, or None.

    Yields:
        Where stores may lie.
    """
    if cache is not None:
        yield Path(cache)
        return
    with TemporaryDirectory(prefix="datainf-") as name:
        yield Path(name)
