"""Several checkpoints of one adapter: gradients of the same rows at each of them.

A checkpoint's weights are in the model for as long as its gradients are taken, and its
stores lie in a folder of its name in the run's cache:

    checkpoint-500/train/
    checkpoint-500/queries-1a2b3c4d/

resumed and reused like all stores (`pair.py`). M checkpoints cost M times one.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from datainf.core.adapter import Adapter
from datainf.core.checkpoint import Checkpoint
from datainf.core.errors import OptionError
from datainf.core.options import number
from datainf.core.recipe import Recipe
from datainf.core.run_config import RunConfig
from datainf.core.task import Task
from datainf.estimators.base import Estimator
from datainf.integrations.checkpoints import (
    RUN_FILE,
    beside,
    find_checkpoints,
    loaded,
)
from datainf.integrations.optimizer_state import learning_rates, read_moments
from datainf.integrations.peft import adapter_of
from datainf.store.reader import GradientStore
from datainf.workflows.pair import TRAIN, Pair, collected, folder_of
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.run_file import beside_adapter

_OWN = ("queries-", "curvature-", "scores")

Places = str | Path | Sequence[str | Path]
"""A folder of checkpoints, or the checkpoints' own folders."""


@dataclass(frozen=True)
class Several:
    """Gradients at several checkpoints.

    Attributes:
        checkpoints: At least one: by their steps, or as they were given.
    """

    checkpoints: tuple[Checkpoint, ...]

    @property
    def sources(self) -> dict[str, Any]:
        """What `score` takes of it."""
        return {"train": list(self.checkpoints)}

    @property
    def train(self) -> GradientStore:
        """Gradients of the training examples at the last checkpoint."""
        last: Any = self.checkpoints[-1].train
        return last

    @property
    def queries(self) -> GradientStore:
        """Gradients of the queries at the last checkpoint."""
        last: Any = self.checkpoints[-1].queries
        return last


def chosen_checkpoints(
    estimator: Estimator,
    given: Places | None,
    limit: int | None = None,
    *,
    adapter: str | None = None,
) -> list[Path] | None:
    """Say which checkpoints a method is run over.

    Args:
        estimator: The method.
        given: What the user named.
        limit: At most so many.
        adapter: The adapter's folder: the checkpoints beside it serve a method that
            follows training, where none are named.

    Returns:
        Their folders; None for the adapter as it is.

    Raises:
        OptionError: If a limit came without any, or those beside the adapter are of
            another training than its own.
    """
    if limit is not None:
        limit = int(number(limit, "checkpoint_limit", least=1, whole=True))
    if given is None and estimator.follows_training and adapter is not None:
        given = beside(adapter)
        if given is not None:
            _require_own(given, adapter)
    if given is not None:
        return find_checkpoints(given, limit)
    if limit is not None:
        raise OptionError(
            f"checkpoint_limit={limit} came without checkpoints; name their folder "
            "with checkpoints= (--checkpoints), or leave it out."
        )
    return None


def _require_own(place: Path, adapter: str) -> None:
    """Refuse what an earlier training left in the folder that a later one wrote."""
    own, recipe = place / RUN_FILE, beside_adapter(adapter).get("recipe")
    if recipe is None or not own.is_file():
        return  # not of `datainf train`
    known = json.loads(own.read_text(encoding="utf-8"))
    if known.get("recipe") != Recipe.from_dict(recipe).fingerprint:
        raise OptionError(
            f"{place} holds checkpoints of a training with another recipe than that of "
            f"{adapter}; train it again in a folder of its own, with save_strategy: "
            "epoch in the recipe."
        )


def refuse_checkpoints(config: RunConfig, command: str) -> None:
    """Refuse checkpoints in a run that is about one state of the adapter.

    Args:
        config: The run.
        command: What it is for, for the message.

    Raises:
        OptionError: If it names some.
    """
    if config.checkpoints is not None or config.checkpoint_limit is not None:
        raise OptionError(
            f"{command} works at one state of the adapter; leave checkpoints and "
            "checkpoint_limit out."
        )


@contextmanager
def gathered(
    model: nn.Module,
    train: Any,
    queries: Any,
    task: Task | Any,
    saved: Sequence[Path] | None,
    estimator: Estimator,
    **how: Any,
) -> Iterator[Pair | Several]:
    """Collect training examples and queries, at each checkpoint where there are any.

    Args:
        model: The PEFT model; unchanged afterwards.
        train: As for `attribute`.
        queries: As for `attribute`.
        task: As for `attribute`.
        saved: The checkpoints' folders, or None for the adapter as it is.
        estimator: The method: whether it wants learning rates and moments.
        **how: `cache`, `adapter_name`, `progress` and `fisher` as for `collected`, and
            fields of `CollectOptions`.

    Yields:
        The gradients, for as long as their folder is there. The weights of checkpoints
        are the mean learning rates for a method that follows training, else 1/M.
    """
    if saved is None:
        with collected(model, train, queries, task, **how) as pair:
            yield pair
        return
    adapter = adapter_of(model, how.get("adapter_name"), how.get("parameters") or "all")
    _require_fitting(saved, how.get("reuse"))
    # What is missing shows before the first gradient.
    about = checkpoint_facts(model, adapter, saved, estimator)
    reporter: Reporter = how.get("progress") or Logged()
    with folder_of(how.pop("cache", None)) as cache:
        found = []
        for folder, facts in zip(saved, about, strict=True):
            reporter.say(f"{folder.name}, weight {facts['weight']:.3g}:")
            place = cache / folder.name
            # Rows of its own store serve again where those of the run's own would.
            reuse = None if how.get("reuse") is None else place / TRAIN
            with (
                loaded(model, adapter.name, folder),
                collected(
                    model, train, queries, task, cache=place, **{**how, "reuse": reuse}
                ) as pair,
            ):
                found.append(Checkpoint(**pair.sources, **facts))
        yield Several(tuple(found))


def _require_fitting(saved: Sequence[Path], reuse: object) -> None:
    """Refuse names that a run uses itself, and a store of another state to reuse."""
    for folder in saved:
        if folder.name in ("", TRAIN) or folder.name.startswith(_OWN):
            raise OptionError(
                "a checkpoint's stores lie in a folder of its name, and "
                f"{folder.name!r} is a run's own; rename the checkpoint's folder."
            )
    if reuse is not None and not Path(str(reuse)).is_dir():
        raise OptionError(
            f"reuse={str(reuse)!r} is no folder. Over checkpoints each one's own store "
            "is reused, whatever folder is named; name the run's (--out)."
        )


def checkpoint_facts(
    model: nn.Module, adapter: Adapter, saved: Sequence[Path], estimator: Estimator
) -> list[dict[str, Any]]:
    """Read what each checkpoint has beside gradients.

    Args:
        model: The PEFT model.
        adapter: The adapter whose checkpoints they are.
        saved: Their folders.
        estimator: The method: whether it wants learning rates and moments.

    Returns:
        For each its `name`, `weight` and `moments`.
    """
    if estimator.follows_training:
        weights = learning_rates(saved)
    else:
        weights = [1 / len(saved)] * len(saved)
    return [
        {
            "name": folder.name,
            "weight": weight,
            "moments": read_moments(folder, model, adapter)
            if estimator.needs_moments
            else None,
        }
        for folder, weight in zip(saved, weights, strict=True)
    ]
