"""Collect with several processes: one store, of which each makes whole shards.

Every process loads the model and looks at every example; what they were given must be
the same. Where the store lies, all of them must see it: a shared file system.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import nn

from datainf.core.canonical import sha256_of
from datainf.core.errors import OptionError, RankError
from datainf.core.options import CollectOptions
from datainf.core.places import local_path
from datainf.core.task import Task
from datainf.integrations.diffusion.pipelines import Pipeline
from datainf.integrations.ranks import Ranks
from datainf.integrations.tasks.table import as_task
from datainf.store.beside import BesideWriter
from datainf.store.manifest import MANIFEST_NAME
from datainf.store.reader import GradientStore, open_store
from datainf.store.start import Asked
from datainf.store.writer import StoreWriter
from datainf.workflows.collect import (
    Job,
    collect_options,
    finished_already,
    with_batches,
)
from datainf.workflows.coverage import coverage_rows
from datainf.workflows.fill import Filling
from datainf.workflows.fill_together import (
    ROUND_SECONDS,
    FillingTogether,
    led,
    require_seen,
)
from datainf.workflows.nonfinite import tell_excluded
from datainf.workflows.progress import Logged, Reporter


def collect_together(  # noqa: PLR0913 - as collect
    model: nn.Module | Pipeline,
    dataset: Any,
    task: Task | Any,
    *,
    out: str | Path,
    ranks: Ranks,
    adapter_name: str | None = None,
    progress: Reporter | None = None,
    round_seconds: float = ROUND_SECONDS,
    **options: Any,
) -> GradientStore | None:
    """Gather gradients as `collect` does, this process its part of them.

    Args:
        model: As for `collect`, in every process the same.
        dataset: As for `collect`, likewise.
        task: As for `collect`, likewise.
        out: Folder of the store, which every process sees.
        ranks: The processes.
        adapter_name: As for `collect`.
        progress: As for `collect`; tells the work of all in the process that leads.
        round_seconds: Work between two words with the others.
        **options: As for `collect`, without `reuse` and `factors`.

    Returns:
        In the process that leads, the finished store; None in the others.
    """
    folder = local_path(out)
    folder = folder.resolve() if folder.is_symlink() else folder
    chosen = collect_options(options)
    _require_shareable(chosen)
    with ranks.step():
        chosen = with_batches(chosen, model, folder)
        job = Job.prepare(
            model,
            dataset,
            as_task(task),
            chosen,
            adapter_name=adapter_name,
            progress=progress or Logged(),
        )
        asked = job.asked()
        identity = sha256_of(asked.manifest.identity.to_dict())
    _require_same(ranks, identity)
    with ranks.step():
        there = ranks.leads and finished_already(job, folder)
    if not ranks.told(there)[0]:
        with ExitStack() as stack:
            with ranks.step():
                session = stack.enter_context(job.session())
            asked = job.asked(coverage_rows(job.adapter, session.coverage))
            writer = stack.enter_context(_open(folder, asked, ranks))
            filling = Filling(session, job.task, job.rows, chosen, job.reporter)
            FillingTogether(filling, writer, ranks, round_seconds).fill()
    if not ranks.leads:
        return None
    store = open_store(folder)
    tell_excluded(store)
    return store


def _open(folder: Path, asked: Asked, ranks: Ranks) -> StoreWriter:
    """Open the store: the process that leads takes the lock, others stand beside."""
    writer: StoreWriter | None = None
    with ranks.step():
        if ranks.leads:
            writer = StoreWriter.open(folder, asked)
    manifest = led(ranks, None if writer is None else writer.manifest)
    with ranks.step():
        if writer is None:
            require_seen(folder / MANIFEST_NAME)
            writer = BesideWriter(folder, asked, manifest)
    return writer


def _require_same(ranks: Ranks, identity: str) -> None:
    """Refuse processes that were given different models or data."""
    first, *others = ranks.told([ranks.here.name, identity])
    for name, mine in others:
        if mine != first[1]:
            raise RankError(
                f"the model, adapter, task or data of {name} are not those of "
                f"{first[0]}; give every process the same files.",
                told=not ranks.leads,
            )


def _require_shareable(options: CollectOptions) -> None:
    """Refuse what one process has to do by itself."""
    for name, chosen in (("factors", options.factors), ("reuse", options.reuse)):
        if chosen:
            raise OptionError(
                f"--{name} is the work of one process; run it without a launcher. "
                "(Factors are added to a finished store by the same command.)"
            )
