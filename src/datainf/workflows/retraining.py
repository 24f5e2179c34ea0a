"""Train the run's recipe once more without some examples; measure every query's loss.

Same base, recipe and data as the adapter that is judged; what differs is which examples
are removed, how that is done to the batches, and, for the noise ceiling, the seed.
N training examples, Q queries. Cost: one training and one forward pass of the queries.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import nn

from datainf.core.batch import plan_batches
from datainf.core.canonical import sha256_of
from datainf.core.errors import NonFiniteError
from datainf.core.evaluate_options import BatchOrder
from datainf.core.options import Reduction
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.task import Task
from datainf.integrations.base_models import (
    load_base,
    load_processor,
)
from datainf.integrations.pristine import PristineBase
from datainf.integrations.tasks.table import reads_by, task_from_settings
from datainf.integrations.trainer import train
from datainf.integrations.weights import with_reduction
from datainf.workflows.data import load_rows
from datainf.workflows.progress import Logged
from datainf.workflows.rows import Rows, look_at


@dataclass(frozen=True)
class Retraining:
    """One training that is asked for.

    Attributes:
        removed: Numbers of the examples that are left out.
        order: What becomes of the batches.
        seed: Of new weights, batch order and dropout.
    """

    removed: tuple[int, ...]
    order: BatchOrder
    seed: int

    @property
    def key(self) -> str:
        """Name the result: equal retrainings, equal names."""
        # With nothing removed, both orders are the same training.
        order = str(self.order) if self.removed else ""
        return sha256_of([list(self.removed), order, self.seed])[:24]


@dataclass(frozen=True)
class Outcome:
    """What a retraining gave.

    Attributes:
        losses: `[Q]`: each query's loss; None where the training diverged.
        problem: What went wrong, where something did.
        seconds: How long it took.
    """

    losses: tuple[float, ...] | None
    problem: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Write the outcome as JSON values."""
        losses = None if self.losses is None else list(self.losses)
        return {"losses": losses, "problem": self.problem, "seconds": self.seconds}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Outcome":
        """Read what `to_dict` wrote."""
        losses = value["losses"]
        return cls(
            None if losses is None else tuple(map(float, losses)),
            str(value["problem"]),
            float(value["seconds"]),
        )


class Retrainer:
    """Trains a run again and again; the base is loaded once a seed."""

    def __init__(self, config: RunConfig) -> None:
        """Load tokenizer and data.

        Args:
            config: The adapter's run, with model, task, training data and recipe, and
                the queries.
        """
        self._config = config
        self._base: tuple[int, PristineBase] | None = None

    @cached_property
    def task(self) -> Task:
        """The task, as the adapter was trained for it."""
        settings = dict(self._config.task)
        processor = load_processor(
            reads_by(settings["name"]),
            str(self._config.model),
            trust_remote_code=self._config.trust_remote_code,
        )
        return task_from_settings(settings, processor)

    @cached_property
    def train(self) -> Any:
        """The training examples."""
        return load_rows(self._config.train or DataConfig(), self.task).dataset

    @cached_property
    def queries(self) -> Rows:
        """The queries, looked at."""
        dataset = load_rows(self._config.queries or DataConfig(), self.task).dataset
        return look_at(dataset, self.task, Logged(), text=False)

    def run(self, asked: Retraining) -> Outcome:
        """Train once.

        Args:
            asked: What to leave out, and how.

        Returns:
            The queries' losses, or why there are none.
        """
        began = time.perf_counter()
        kept = np.ones(len(self.train), dtype=bool)
        kept[list(asked.removed)] = False
        data, weights = self.train, None
        if not kept.all():
            if asked.order is BatchOrder.KEPT:
                weights = kept.astype(np.float64)
            else:
                data = Chosen(self.train, np.flatnonzero(kept))
        losses, problem = None, ""
        try:
            with self.fitted(data, asked.seed, weights) as model:
                losses = query_losses(model, self.task, self.queries)
        except NonFiniteError as error:
            losses, problem = None, str(error)
        return Outcome(
            None if losses is None else tuple(losses.tolist()),
            problem,
            time.perf_counter() - began,
        )

    @contextmanager
    def fitted(
        self, data: Any, seed: int, weights: ArrayLike | None = None
    ) -> Iterator[nn.Module]:
        """Train the recipe on some data, for as long as the model is looked at.

        Args:
            data: The examples.
            seed: Of new weights, batch order and dropout.
            weights: What each example counts for; 1 when not given.

        Yields:
            The trained model, in eval mode; its base is as it was afterwards.
        """
        base = self._base_of(seed)
        recipe = (self._config.recipe or Recipe()).keeping_nothing()
        recipe = replace(recipe, seed=seed)
        self._base = None  # an adapter is on it, and stays there if anything fails
        model = train(base.model, data, self.task, recipe, weights=weights)
        yield model
        base.restore(model)
        self._base = (seed, base)

    def _base_of(self, seed: int) -> PristineBase:
        """Give the base with the head that a seed draws; the last one is kept."""
        if self._base is None or self._base[0] != seed:
            self._base = None  # two bases need not fit into memory
            recipe = self._config.recipe or Recipe()
            model = load_base(
                str(self._config.model),
                self.task,  # type: ignore[arg-type]
                seed=seed,
                trained=tuple(recipe.peft.get("modules_to_save") or ()),
                precision=self._config.precision,
                trust_remote_code=self._config.trust_remote_code,
            )
            self._base = (seed, PristineBase(model))
        return self._base[1]


class Chosen:
    """Some examples of a data set, by number."""

    def __init__(self, dataset: Any, numbers: np.ndarray) -> None:
        """Choose examples.

        Args:
            dataset: Sized and indexable.
            numbers: Which, in their order.
        """
        self._dataset, self._numbers = dataset, numbers

    def __len__(self) -> int:
        """Count the chosen examples."""
        return len(self._numbers)

    def __getitem__(self, number: int) -> Any:
        """Give an example."""
        return self._dataset[int(self._numbers[number])]


@torch.no_grad()
def query_losses(
    model: nn.Module, task: Task, rows: Rows, *, tokens: int = 4096
) -> Float[np.ndarray, " Q"]:
    """Measure the loss of every query.

    Args:
        model: In eval mode.
        task: Its loss; of tokens the mean, since a sum ranks retrainings alike.
        rows: The queries.
        tokens: Most padded tokens of a batch.

    Returns:
        One loss a query.

    Raises:
        NonFiniteError: If one is NaN or infinite.
    """
    judged = with_reduction(task, Reduction.MEAN)
    device = next(model.parameters()).device
    losses = np.empty(len(rows.lengths))
    for places in plan_batches(rows.lengths, tokens):
        batch = judged.collate(rows.read(places))
        moved = {name: value.to(device) for name, value in batch.items()}
        losses[places] = judged.losses(model, moved).double().cpu().numpy()
    broken = np.flatnonzero(~np.isfinite(losses))
    if len(broken):
        raise NonFiniteError(
            f"the loss of query {broken[0]} is {losses[broken[0]]} after a retraining; "
            "lower learning_rate, or train in float32."
        )
    return losses
