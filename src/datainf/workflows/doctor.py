"""Doctor: what may stand between a user and a run, found in seconds, with what to do.

The machine (versions, threads, memory, disk) always; with an adapter, its type, task
and coverage; with data, its columns, rows and labels, the first example as the model
sees it, two examples' gradients and the room they will take; with queries, their rows.
"""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import torch
from packaging.requirements import Requirement

from datainf.capture.session import CaptureSession
from datainf.core.errors import DatainfError
from datainf.core.run_config import DataConfig, RunConfig
from datainf.integrations.diffusion.injected import configs_of
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.vocabulary import token_check
from datainf.workflows.coverage import coverage_text
from datainf.workflows.data import load_rows
from datainf.workflows.estimate import human_bytes, store_bytes
from datainf.workflows.findings import Finding, look_through, row_findings
from datainf.workflows.progress import Reporter
from datainf.workflows.subject import Subject, load_subject

_PACKAGES = ("torch", "transformers", "peft", "datasets")
_ENOUGH_DISK = 2 * 2**30
_TOKENS_SHOWN = 40


def examine(config: RunConfig, progress: Reporter) -> list[Finding]:
    """Look at the machine, then at what the run names.

    Args:
        config: A run; whatever it names is looked at.
        progress: Told how far reading is.

    Returns:
        The findings, in the order of a run.
    """
    found = list(machine(Path(config.out)))
    train, queries = config.train, config.queries
    if config.adapter is None:
        if train is not None or queries is not None:
            said = "not looked at: only with --adapter is it known how to read them"
            found.append(Finding("data", "note", said))
        return found
    loaded: list[Subject] = []

    def load() -> list[Finding]:
        loaded.append(load_subject(config))
        return _adapter(loaded[0])

    found += _guarded("adapter", load)
    if loaded and train is not None:
        found += _guarded("data", lambda: _data(train, loaded[0], progress, config))
    if loaded and queries is not None:
        found += _guarded("queries", lambda: _queries(queries, loaded[0], progress))
    return found


def machine(out: Path) -> Iterator[Finding]:
    """Look at the machine.

    Args:
        out: Where results would go.

    Yields:
        One finding a matter.
    """
    yield Finding("python", "ok", platform.python_version())
    for needed in _requirements():
        name = needed.name
        try:
            there = version(name)
        except PackageNotFoundError:
            yield Finding(name, "fix", f"not installed; pip install {str(needed)!r}")
            continue
        if not needed.specifier.contains(there, prereleases=True):
            said = f"{there} is too old; pip install {str(needed)!r}"
            yield Finding(name, "fix", said)
        elif name in _PACKAGES:
            yield Finding(name, "ok", there)
    # A build for an accelerator may run on a machine without one.
    has = torch.accelerator.is_available()
    accelerator = torch.accelerator.current_accelerator() if has else None
    yield Finding("accelerator", "ok", str(accelerator or "none, the CPU computes"))
    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    too_many = threads > cores
    yield Finding(
        "threads",
        "note" if too_many else "ok",
        f"{threads} of {cores} cores"
        + ("; set OMP_NUM_THREADS to the cores you have" if too_many else ""),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("memory", "ok", human_bytes(memory))
    free = _free(out)
    short = free < _ENOUGH_DISK
    yield Finding(
        "disk",
        "note" if short else "ok",
        f"{human_bytes(free)} free for {out}"
        + ("; --dry-run tells what a run needs" if short else ""),
    )


def _requirements() -> list[Requirement]:
    """Give what datainf needs to run, the best known packages first."""
    try:
        asked = [Requirement(line) for line in requires("datainf") or ()]
    except PackageNotFoundError:  # run from its source
        asked = []
    needed = {r.name: r for r in asked if r.marker is None}
    first = [needed.pop(name, Requirement(name)) for name in _PACKAGES]
    return [*first, *needed.values()]


def _free(out: Path) -> int:
    """Tell the bytes that are free where a folder is, or would be made."""
    out = out.absolute()
    place = next(path for path in [out, *out.parents] if path.exists())
    return shutil.disk_usage(place).free


def _guarded(check: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Turn an error into a finding, so that the rest is shown too."""
    try:
        return look()
    except DatainfError as error:
        return [Finding(check, "fix", str(error))]
    except Exception as error:  # noqa: BLE001 - whatever is broken is a finding
        return [Finding(check, "fix", f"{type(error).__name__}: {error}")]


def _adapter(subject: Subject) -> list[Finding]:
    adapter = adapter_of(subject.model)
    # Entering no scope: what the rules would be, before a probe with examples.
    session = CaptureSession(subject.model, adapter, subject.task)
    configs = configs_of(subject.model)
    kind = type(configs[adapter.name]).__name__.removesuffix("Config")
    return [
        Finding("adapter", "ok", f"{kind}, made for {adapter.task_type or 'any task'}"),
        Finding("task", "ok", _settings(subject.task.settings())),
        Finding("coverage", "ok", coverage_text(adapter, session.coverage)),
    ]


def _data(
    config: DataConfig, subject: Subject, progress: Reporter, run: RunConfig
) -> list[Finding]:
    rows = load_rows(config, subject.task)
    columns = ", ".join(rows.dataset.column_names)
    check = token_check(subject.task, subject.model)
    seen = look_through(rows.dataset, subject.task, check, progress)
    found = [Finding("columns", "ok", columns), *row_findings(seen, subject.task)]
    found.append(Finding("first example", "ok", str(seen.table["text"][0])))
    found.append(Finding("as tokens", "ok", _tokens(subject, rows.dataset[0])))
    adapter = adapter_of(subject.model)
    projection = run.collect.projection
    with CaptureSession(subject.model, adapter, subject.task, projection) as session:
        session.probe(seen.probes())
    found.append(Finding("gradients", "ok", "two examples agree with autograd"))
    layout = adapter.layout.projected(projection)
    needed = store_bytes(seen, layout, run.collect.dtype)
    free, said = _free(Path(run.out)), f"gradients take {human_bytes(needed)} on disk"
    if needed > free:
        said += (
            f", and {human_bytes(free)} are free for {run.out}; give --out on another "
            "disk, or --dtype bf16 for half"
        )
    return [*found, Finding("store", "fix" if needed > free else "ok", said)]


def _queries(config: DataConfig, subject: Subject, progress: Reporter) -> list[Finding]:
    dataset = load_rows(config, subject.task).dataset
    check = token_check(subject.task, subject.model)
    seen = look_through(dataset, subject.task, check, progress)
    examples = next(row_findings(seen, subject.task))
    return [Finding("queries", examples.state, examples.found)]


def _settings(settings: dict[str, Any]) -> str:
    shown = {k: v for k, v in settings.items() if k not in ("name", "tokenizer")}
    listed = ", ".join(f"{key}={value!r}" for key, value in shown.items() if value)
    return f"{settings['name']} ({listed})"


def _tokens(subject: Subject, example: dict[str, Any]) -> str:
    """Show the tokens the model reads; those in the loss stand in [brackets]."""
    batch = subject.task.collate([example])
    if "pixel_values" in batch:
        size = " × ".join(str(n) for n in batch["pixel_values"].shape[1:])
        return f"{size} pixel values -> class {int(batch['labels'][0])}"
    if "latents" in batch:
        size = " × ".join(str(n) for n in batch["latents"].shape[1:])
        passes = batch["passes"].shape[1]
        return f"{size} latent, {passes} passes -> {subject.task.describe(example)}"
    ids = batch["input_ids"][0].tolist()
    labels = batch["labels"]
    names = subject.tokenizer.convert_ids_to_tokens(ids)
    if isinstance(subject.task, SequenceClassification):
        shown = " ".join(names[:_TOKENS_SHOWN])
        more = " ..." if len(names) > _TOKENS_SHOWN else ""
        kind = "label" if labels.is_floating_point() else "class"
        return f"{shown}{more} -> {kind} {labels[0].tolist()}"
    targets = labels[0].tolist()
    if isinstance(subject.task, Seq2Seq):
        # Two texts: all of the second one is in the loss.
        names += subject.tokenizer.convert_ids_to_tokens(targets)
        targets = [-100] * len(ids) + targets
    marked = [
        f"[{name}]" if label != -100 else name
        for name, label in zip(names, targets, strict=True)
    ]
    more = " ..." if len(marked) > _TOKENS_SHOWN else ""
    count = sum(label != -100 for label in targets)
    return f"{' '.join(marked[:_TOKENS_SHOWN])}{more} ({count} tokens in the loss)"
