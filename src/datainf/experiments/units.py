"""Units: one adapter a data set, rank, seed and noise, with the gradients of its rows.

    rows of the seed -> adapter (kept in `adapters/`) -> stores (gone when done with)

A unit is trained by the same workflow as `datainf train`: its folder holds the rows,
the adapter and a run.yaml, so that every other command works on it. Stores are made
again when a later method needs them; they are large and an adapter is not.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from datainf.core.canonical import sha256_of
from datainf.core.checkpoint import Moments
from datainf.core.errors import OptionError
from datainf.core.options import Output
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.task import Task
from datainf.experiments.data.picture_tasks import PICTURE_TASKS
from datainf.experiments.data.rows_on_disk import keep_rows
from datainf.experiments.data.study_rows import DEMO, StudyRows, study_rows
from datainf.experiments.data.text_tasks import TEXT_TASKS
from datainf.experiments.demo import BASE, PIPELINE, DemoSettings
from datainf.experiments.meter import metered
from datainf.experiments.presets import Study
from datainf.integrations.checkpoints import beside, find_checkpoints
from datainf.integrations.optimizer_state import read_moments
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.store.reader import GradientStore
from datainf.workflows.collect import collect
from datainf.workflows.progress import Logged
from datainf.workflows.run_file import RUN_FILE, resolve
from datainf.workflows.subject import Subject, load_subject
from datainf.workflows.training import train_run

_HEAD = 2**20
_PIPELINE = "model_index.json"
_KEPT = {"save_strategy": "epoch", "save_total_limit": 1}
"""The last state stays, for a method that steps by Adam's moments."""


@dataclass(frozen=True)
class Unit:
    """One adapter.

    Attributes:
        dataset: Its data set.
        rank: Its LoRA rank.
        seed: Of everything.
        noisy: Whether some of its labels are wrong.
    """

    dataset: str
    rank: int
    seed: int
    noisy: bool = True

    def key(self, study: Study) -> dict[str, Any]:
        """Name the unit's cells: what decides them, and no place on a machine.

        Args:
            study: The settings of the family.

        Returns:
            JSON values.
        """
        return {
            "dataset": self.dataset,
            "rank": self.rank,
            "seed": self.seed,
            "noisy": self.noisy,
            "model": model_id(base_of(self, study)),
            "settings": sha256_of(study.settings())[:12],
        }


class Target(StrEnum):
    """Whose loss is differentiated."""

    TASK = "task"
    """The task's own: what training lowered."""
    PROMPT = "prompt"
    """Of every token of the prompt, which is all that the published code read."""


Seen = tuple[Task, list[dict[str, Any]], list[dict[str, Any]]]
"""A task, training rows and validation rows."""


Stores = tuple[GradientStore, GradientStore]
"""Gradients of training rows and of validation rows."""
Gradients = Callable[..., Stores]
"""`(output=Output.LOSS, target=Target.TASK)` -> gradients of training and validation
rows, collected when first asked for."""
Collect = Callable[..., Stores]
"""`(name, seen, output=Output.LOSS)` -> gradients of what another task sees of them."""


def units_of(study: Study, noise: tuple[bool, ...] = (True,)) -> list[Unit]:
    """List the adapters of an experiment, seed by seed.

    Args:
        study: The settings.
        noise: Whether some labels are wrong; both, where both are compared.

    Returns:
        One a data set, rank, noise and seed, so that early seeds cover every data set.
    """
    return [
        Unit(dataset, rank, seed, noisy)
        for seed in range(study.seeds)
        for dataset in study.datasets
        for rank in study.ranks_of(dataset)
        for noisy in noise
    ]


@dataclass(frozen=True)
class Opened:
    """A unit with its gradients.

    Attributes:
        rows: Its rows.
        subject: The adapter on its base, and the task.
        train: Gradients of the training rows.
        validation: Gradients of the validation rows.
        collect_seconds: What collecting both took.
        train_seconds: What training took; None where the adapter was there.
        gradients: Gives those of both, and of another output or of prompts alone.
        collected: Gives those of other rows, or by another task.
        moments: Gives Adam's moments at the end of training.
    """

    rows: StudyRows
    subject: Subject
    train: GradientStore
    validation: GradientStore
    collect_seconds: float
    train_seconds: float | None
    gradients: Gradients
    collected: Collect
    moments: Callable[[], Moments]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Say which training rows are wrong."""
        return np.array([row["wrong"] for row in self.rows.train], dtype=bool)

    def read(self, target: Target) -> Seen:
        """Give what a gradient sees.

        Args:
            target: Whose loss is differentiated.

        Returns:
            Task, training rows and validation rows.
        """
        return _seen(self.subject.task, self.rows, target)


@contextmanager
def opened(unit: Unit, study: Study, out: Path) -> Iterator[Opened]:
    """Train a unit unless its adapter is there, and collect its gradients.

    Args:
        unit: Which one.
        study: The settings of the family.
        out: Folder of the experiments; the unit's own lies in `adapters/`.

    Yields:
        The unit. Its stores are removed afterwards, unless something went wrong.

    Raises:
        OptionError: If the adapter that is there learned other rows.
    """
    key = unit.key(study)
    noise = "noisy" if unit.noisy else "clean"
    name = f"{unit.dataset}-r{unit.rank}-s{unit.seed}-{noise}-{sha256_of(key)[:8]}"
    folder = out / "adapters" / name
    rows = _rows(unit, study)
    files = keep_rows(folder, {"train": rows.train, "validation": rows.validation})
    train_seconds = None
    if not (folder / RUN_FILE).is_file() or beside(folder) is None:
        started = perf_counter()
        _train(unit, study, rows, files["train"], folder)
        train_seconds = perf_counter() - started
    subject = load_subject(resolve({"adapter": str(folder)}))

    def collected(name: str, seen: Seen, output: Output = Output.LOSS) -> Stores:
        task, *parts = seen
        train, validation = (
            collect(
                subject.model,
                part,
                task,
                out=folder / "stores" / f"{which}-{name}-{output}",
                parameters="paper",
                output=output,
                store_text=False,
                factors=which == "train" and output == Output.LOSS,
            )
            for which, part in zip(("train", "validation"), parts, strict=True)
        )
        return train, validation

    @cache
    def gradients(output: Output = Output.LOSS, target: Target = Target.TASK) -> Stores:
        return collected(str(target), _seen(subject.task, rows, target), output)

    with metered() as spent:
        train, validation = gradients()
    yield Opened(
        rows,
        subject,
        train,
        validation,
        spent.seconds,
        train_seconds,
        gradients=gradients,
        collected=collected,
        moments=partial(_moments, folder, subject),
    )
    shutil.rmtree(folder / "stores")


def _rows(unit: Unit, study: Study) -> StudyRows:
    """Draw a unit's rows, with all settings of their task."""
    rows = study_rows(
        unit.dataset,
        study.sample,
        seed=unit.seed,
        noisy=unit.noisy,
        data_dir=study.data_dir,
    )
    return replace(rows, task={**rows.task, **study.task})


def _seen(task: Task, rows: StudyRows, target: Target) -> Seen:
    """Give a unit's own task and rows, or texts that are a row's prompt, endless."""
    if target is Target.TASK:
        return task, rows.train, rows.validation
    train, validation = (
        [{"text": row["prompt"]} for row in part]
        for part in (rows.train, rows.validation)
    )
    return replace(cast(CausalLM, task), append_eos=False), train, validation


def base_of(unit: Unit, study: Study) -> str:
    """Name the base model of a unit.

    Args:
        unit: Which one.
        study: Says the base of classifiers, and of text tasks and pictures if not the
            demo's.

    Returns:
        A folder or hub name.

    Raises:
        OptionError: If none is known.
    """
    if unit.dataset == DEMO or (unit.dataset in TEXT_TASKS and study.model is None):
        return str(BASE)
    if unit.dataset in PICTURE_TASKS and study.model is None:
        return str(PIPELINE)
    if study.model is None:
        raise OptionError(
            f"the preset {study.preset} needs a base model for {unit.dataset}: name a "
            "folder or hub name with --model."
        )
    return study.model


def model_id(name: str) -> str:
    """Name a base model by its content: the same on every machine.

    Args:
        name: A folder or hub name.

    Returns:
        The hub name; for a folder its model type, or a pipeline's class, and a hash
        over its configuration and the size and beginning of each file of weights.
    """
    folder = Path(name)
    if not folder.is_dir():
        return name
    digest = hashlib.sha256()
    index = folder / _PIPELINE
    # The parts of a pipeline lie in folders of their own.
    found = folder.rglob("*") if index.is_file() else folder.iterdir()
    files = [f for f in sorted(found) if f.suffix in (".safetensors", ".bin")]
    config = index if index.is_file() else folder / "config.json"
    for file in (config, *files):
        if file.is_file():
            digest.update(f"{file.name} {file.stat().st_size} ".encode())
            with file.open("rb") as content:
                digest.update(content.read(_HEAD))
    said = json.loads(config.read_text()) if config.is_file() else {}
    kind = said.get("model_type") or said.get("_class_name") or "model"
    return f"{kind}-{digest.hexdigest()[:8]}"


def _train(
    unit: Unit, study: Study, rows: StudyRows, data: DataConfig, folder: Path
) -> None:
    """Train the adapter; its run.yaml is written last."""
    recipe = recipe_of(unit, study, len(rows.train))
    config = RunConfig(
        model=base_of(unit, study),
        precision=study.precision,
        task=dict(rows.task),
        train=data,
        recipe=replace(recipe, training={**recipe.training, **_KEPT}),
        out=str(folder),
    )
    train_run(config, Logged())


def recipe_of(unit: Unit, study: Study, rows: int) -> Recipe:
    """Take the study's recipe, or the demo's own for its model.

    Args:
        unit: Which adapter.
        study: The settings of the family.
        rows: How many training rows.

    Returns:
        How it is trained.
    """
    if unit.dataset == DEMO:
        epochs = study.recipe.training["num_train_epochs"]
        return DemoSettings(rank=unit.rank, seed=unit.seed, epochs=epochs).recipe
    return study.recipe_for(rank=unit.rank, seed=unit.seed, rows=rows)


def _moments(folder: Path, subject: Subject) -> Moments:
    """Read Adam's moments from the last checkpoint, whose weights are the adapter's."""
    last = find_checkpoints(folder)[-1]
    adapter = adapter_of(subject.model, parameters="paper")
    return read_moments(last, subject.model, adapter)
