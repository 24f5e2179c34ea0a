"""Collect: per-example adapter gradients of a data set, into a store that resumes.

The coverage report comes first, then one shard after the other; what an interrupted
run has finished is kept. N examples, cost one forward and one backward pass each.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from datainf.__about__ import __version__
from datainf.capture.devices import batch_tokens_on, device_of
from datainf.capture.session import CaptureSession
from datainf.core.adapter import Adapter
from datainf.core.errors import DatainfWarning, require_options
from datainf.core.identity import Identity
from datainf.core.options import CollectOptions, Output
from datainf.core.places import local_path
from datainf.core.task import Task
from datainf.integrations.diffusion.pipelines import Pipeline, as_module
from datainf.integrations.fingerprint import identify
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.outputs import with_output
from datainf.integrations.tasks.table import as_task, require_task_fits
from datainf.integrations.tasks.vocabulary import token_check
from datainf.store.excluded import parameters_in
from datainf.store.manifest import MANIFEST_NAME, default_shard_rows
from datainf.store.parsing import read_manifest
from datainf.store.reader import GradientStore, open_store
from datainf.store.reuse import aside
from datainf.store.start import Asked, Start
from datainf.store.writer import StoreWriter
from datainf.workflows.coverage import coverage_rows, coverage_text
from datainf.workflows.estimate import Estimate, estimate
from datainf.workflows.factors import FactorPass, Gathering, has_factors
from datainf.workflows.fill import Filling
from datainf.workflows.nonfinite import probe, tell_excluded
from datainf.workflows.older import Older
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.rows import Rows, look_at


def collect(
    model: nn.Module | Pipeline,
    dataset: Any,
    task: Task | Any,
    *,
    out: str | Path,
    adapter_name: str | None = None,
    progress: Reporter | None = None,
    **options: Any,
) -> GradientStore:
    """Gather the gradient of every example's loss by every adapter parameter.

    With `output="margin"` that of its margin; with `output="sampled"` that of its loss
    at labels that the model draws, `samples` rows an example, for a curvature.

    Args:
        model: A PEFT model, or a pipeline of diffusers with its LoRA loaded, on any
            device; it is the same to the bit afterwards.
        dataset: `datasets.Dataset`, list of dictionaries, or any sized indexable.
        task: A task such as `CausalLM(tokenizer)`, or a loss `(model, batch) -> [B]`.
        out: Folder of the store. A store of the same model and data that is there is
            resumed, or reused when it is whole; one of the first rows of the data
            grows; any other is refused.
        adapter_name: Which adapter; the active one when not given.
        progress: Told the coverage, warnings and how far it is.
        **options: Fields of `CollectOptions`: `dtype`, `project`, `project_seed`,
            `parameters`, `output`, `samples`, `sample_seed`, `batch_tokens`,
            `shard_rows`, `store_text`, `on_nonfinite`, `reuse`, `factors`.

    Returns:
        The finished store, memory-mapped.

    Examples:
        >>> store = collect(model, rows, CausalLM(tokenizer), out="runs/a/train")
        ... # doctest: +SKIP
    """
    folder = local_path(out)
    if folder.is_symlink():
        # A store that makes room is moved aside: the folder, and not the link to it.
        folder = folder.resolve()
    chosen = with_batches(collect_options(options), model, folder)
    job = Job.prepare(
        model,
        dataset,
        as_task(task),
        chosen,
        adapter_name=adapter_name,
        progress=progress,
    )
    older = None if chosen.reuse is None else Older(Path(chosen.reuse), folder)
    replaced = older is not None and older.replaced_by(job.asked())
    there = not replaced and finished_already(job, folder)
    if not there and older is not None:
        older.require_fitting(job.asked())
    if not there or (chosen.factors and not has_factors(folder)):
        with job.session() as session:
            if not there:
                _make(job, session, folder, older)
            if chosen.factors:
                FactorPass(session, job.task, job.rows, chosen, job.reporter).run(
                    folder
                )
    if older is not None:
        older.clear()
    store = open_store(folder)
    tell_excluded(store)
    return store


def collect_estimate(
    model: nn.Module | Pipeline,
    dataset: Any,
    task: Task | Any,
    *,
    adapter_name: str | None = None,
    progress: Reporter | None = None,
    **options: Any,
) -> Estimate:
    """Tell what `collect` would need, from a few real batches; nothing is written.

    Args:
        model: As for `collect`.
        dataset: As for `collect`.
        task: As for `collect`.
        adapter_name: As for `collect`.
        progress: Told the coverage and warnings.
        **options: Fields of `CollectOptions`.

    Returns:
        Rows, blocks, disk, memory, time.
    """
    chosen = with_batches(collect_options(options), model)
    job = Job.prepare(
        model,
        dataset,
        as_task(task),
        chosen,
        adapter_name=adapter_name,
        progress=progress,
    )
    layout = job.adapter.layout.projected(chosen.projection)
    with job.session() as session:
        return estimate(
            session,
            job.task,
            job.rows,
            layout=layout,
            options=chosen,
            shard_rows=chosen.shard_rows or default_shard_rows(layout, chosen.dtype),
        )


def collect_options(options: Mapping[str, Any]) -> CollectOptions:
    """Check options of collection by name and value.

    Args:
        options: Fields of `CollectOptions`.

    Returns:
        The options.

    Raises:
        OptionError: If one is unknown.
    """
    require_options(options, (f.name for f in fields(CollectOptions)))
    return CollectOptions(**options)


def with_batches(
    options: CollectOptions, model: nn.Module | Pipeline, out: Path | None = None
) -> CollectOptions:
    """Settle the batches of a run that says nothing of them.

    Args:
        options: As they were asked for.
        model: Says the device.
        out: Folder of the store; its batches, or those of a store that is to be reused,
            go on as they are, so that a store may move between devices.

    Returns:
        The options, with a number of tokens.
    """
    if options.batch_tokens is not None:
        return options
    older = None if options.reuse is None else Path(options.reuse)
    # A run that was cut off may have left the older store moved aside.
    for place in (out, older, older and aside(older)):
        if place is not None and (place / MANIFEST_NAME).is_file():
            found = read_manifest(place).options.batch_tokens
            return replace(options, batch_tokens=found)
    device = device_of(as_module(model))
    return replace(options, batch_tokens=batch_tokens_on(device))


@dataclass(frozen=True)
class Job:
    """What one collection works on: everything is checked once it exists."""

    model: nn.Module
    task: Task
    adapter: Adapter
    rows: Rows
    options: CollectOptions
    reporter: Reporter

    @classmethod
    def prepare(
        cls,
        model: nn.Module | Pipeline,
        dataset: Any,
        task: Task,
        options: CollectOptions,
        *,
        adapter_name: str | None,
        progress: Reporter | None,
    ) -> "Job":
        """Find the adapter and look at every example."""
        module = as_module(model)
        reporter = progress or Logged()
        adapter = adapter_of(module, adapter_name, options.parameters)
        require_task_fits(task, adapter.task_type, module)
        measured = with_output(task, options, module)
        check = token_check(task, module)
        rows = look_at(dataset, task, reporter, text=options.store_text, check=check)
        if rows.truncated:
            limit = task.settings().get("max_length")
            longest = "the model reads" if limit is None else f"max_length={limit}"
            warnings.warn(
                f"{rows.truncated} of {len(rows.table)} examples are longer than "
                f"{longest} and were cut; their gradients are those of what is left.",
                DatainfWarning,
                stacklevel=3,
            )
        if options.output == Output.SAMPLED:
            rows = rows.drawn(options.samples)
        return cls(module, measured, adapter, rows, options, reporter)

    @contextmanager
    def session(self) -> Iterator[CaptureSession]:
        """Open the capture session, probed, after telling what will be collected."""
        projection = self.options.projection
        with CaptureSession(self.model, self.adapter, self.task, projection) as session:
            probe(session, self.rows, self.options.on_nonfinite)
            self.reporter.say(coverage_text(self.adapter, session.coverage))
            yield session

    def asked(self, coverage: Sequence[Any] = (), reused: int | None = None) -> Asked:
        """Say which store is asked for.

        Args:
            coverage: Which rule each parameter's gradients come from.
            reused: How many rows come from an older store, for people to read.

        Returns:
            The store, of every row.
        """
        note = {} if reused is None else {"reused": reused}
        about = {**self.identity.about, **note}
        return Asked(
            layout=self.adapter.layout,
            identity=replace(self.identity, about=about),
            options=self.options,
            examples=self.rows.table,
            library_version=__version__,
            coverage=coverage,
        )

    @cached_property
    def identity(self) -> Identity:
        """Fingerprints of model, adapter, task and data."""
        about = {
            "model": str(
                getattr(getattr(self.model, "config", None), "_name_or_path", "")
            ),
            "adapter": self.adapter.name,
            "task_type": self.adapter.task_type or "",
        }
        return identify(self.model, self.adapter, self.task, self.rows.hashes, about)


def finished_already(job: Job, out: Path) -> bool:
    """Say whether the store is whole already, without any of the model's work."""
    start = Start.look(out, job.asked())
    if not start.done or start.found is None:
        return False
    known = parameters_in(start.found.coverage)
    paths = {row["block"]: row["path"] for row in known}
    job.reporter.say(coverage_text(job.adapter, paths))
    job.reporter.say(f"{out}: all {start.found.rows} examples are there already")
    return True


def _make(job: Job, session: CaptureSession, out: Path, older: Older | None) -> None:
    """Compute, or take over, and write the shards that are not there yet."""
    coverage = coverage_rows(job.adapter, session.coverage)
    rows = None if older is None else older.rows(job.asked())
    reused = None
    if older is not None and rows is not None:
        reused = sum(one in rows for one in job.rows.hashes)
        job.reporter.say(
            f"{older.named}: {reused} of {len(job.rows.table)} rows did not change and "
            "are reused"
        )
    with StoreWriter.open(out, job.asked(coverage, reused)) as writer:
        gathering = Gathering(out, session.unfactored) if job.options.factors else None
        filling = Filling(
            session, job.task, job.rows, job.options, job.reporter, rows, gathering
        )
        filling.fill(writer)
