"""What is differentiated: a task as it is, at margins, or at labels that are drawn.

A task that tells what its model predicts (`predictions`) becomes another task, whose
losses are the margins, or √m times the losses at labels ŷ ~ p(· | x) of the model
itself. Everything that takes a task, the probe included, takes these.

Drawn labels are fixed when a batch is made: by a forward pass of the example alone and
a generator of its own, seeded by (seed, hash of the example, number of the draw), with
one number of it a label. So they depend on the example alone: not on its batch, nor on
the order or number of the rows. Cost: that forward pass, beside the forward and
backward pass of each draw. B examples, n labels of the longest, m terms of a loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from datainf.capture.devices import device_of, moved
from datainf.core.errors import OptionError
from datainf.core.identity import OUTPUT
from datainf.core.options import CollectOptions, Output
from datainf.core.task import Batch, Example, Task
from datainf.integrations.tasks.predictions import Predictions, Predictive
from datainf.integrations.tasks.tokens import IGNORED

DRAW = "datainf.draw"
"""Column of a row that is one draw of an example: its hash, and the draw's number."""
_DRAWN = "datainf.drawn"


def with_output(task: Task, options: CollectOptions, model: nn.Module) -> Task:
    """Make the task that differentiates what is asked for.

    Args:
        task: The task.
        options: `output`, `samples` and `sample_seed` are used.
        model: Draws the labels.

    Returns:
        The task itself for the loss.

    Raises:
        OptionError: If the task has no such output, or labels are to be drawn for one
            that needs none.
    """
    if options.draws and options.output != Output.SAMPLED:
        raise OptionError(
            f"samples={options.samples} and sample_seed={options.sample_seed} belong "
            f"to output='sampled', got output={str(options.output)!r}; leave them out."
        )
    if options.output == Output.LOSS:
        return task
    predictive = require_predictive(task, options.output)
    if options.output == Output.MARGIN:
        return MarginTask(predictive)
    return SampledTask(predictive, model, options.samples, options.sample_seed)


def require_predictive(task: Task, output: Output | str) -> Predictive:
    """Refuse an output that a task has not, before the model works for others.

    Args:
        task: The task.
        output: What is to be differentiated, if not the loss.

    Returns:
        The task.

    Raises:
        OptionError: If it gives losses alone.
    """
    if isinstance(task, Predictive):
        return task
    raise OptionError(
        f"output={str(output)!r} needs what the model says of each label, and the task "
        f"{task.settings()['name']} gives losses alone; use output='loss' and the "
        "empirical Fisher, or give a task of your own a method `predictions`."
    )


@dataclass(frozen=True)
class _Wrapped:
    """A task whose rows are read by another one.

    Attributes:
        task: It has `predictions`.
    """

    task: Any

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Turn examples into one batch."""
        batch: Batch = self.task.collate(examples)
        return batch

    def describe(self, example: Example) -> str:
        """Write the example as the task does."""
        return str(self.task.describe(example))

    def length(self, example: Example) -> int:
        """Count the example's tokens."""
        return int(self.task.length(example))


@dataclass(frozen=True)
class MarginTask(_Wrapped):
    """The margin of every example in the place of its loss."""

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Give the margins: the larger, the surer of the label the model is."""
        found: Predictions = self.task.predictions(model, batch)
        return found.margins()

    def settings(self) -> dict[str, Any]:
        """Give the task's settings, and that margins are differentiated."""
        return {**self.task.settings(), OUTPUT: {"name": str(Output.MARGIN)}}


@dataclass(frozen=True)
class SampledTask(_Wrapped):
    """√m times the loss at labels that the model draws.

    Attributes:
        model: Draws them.
        samples: How many rows are made of an example, for the settings.
        seed: Chooses the labels.
    """

    model: nn.Module
    samples: int
    seed: int

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Turn draws into one batch, their labels beside it.

        Args:
            examples: Rows with a column `DRAW`; draws of one example that follow each
                other share its forward pass.

        Returns:
            The task's own batch, and the labels `[B, n]`.
        """
        rows = [dict(example) for example in examples]
        draws = [row.pop(DRAW) for row in rows]
        batch = self.task.collate(rows)
        labels: list[Tensor] = []
        known, found = None, None
        for row, (row_hash, number) in zip(rows, draws, strict=True):
            if found is None or known != row_hash:
                known, found = row_hash, self._alone(row)
            rng = np.random.default_rng([self.seed, int(row_hash, 16), number])
            with torch.no_grad():
                labels.append(found.drawn(rng).cpu())
        drawn = pad_sequence(labels, batch_first=True, padding_value=IGNORED)
        return {**batch, _DRAWN: drawn}

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Give √m times the loss of every row at its drawn labels.

        Args:
            model: The model.
            batch: What `collate` made.

        Returns:
            One number a row; the second moment of its gradient is, over the draws, the
            generalized Gauss-Newton matrix of the example's loss.
        """
        given = dict(batch)
        labels = given.pop(_DRAWN)
        found: Predictions = self.task.predictions(model, given).at(labels)
        losses = found.losses()
        return losses * found.terms().sqrt().to(losses.dtype)

    def settings(self) -> dict[str, Any]:
        """Give the task's settings, and how labels are drawn."""
        how = {
            "name": str(Output.SAMPLED),
            "samples": self.samples,
            "sample_seed": self.seed,
        }
        return {**self.task.settings(), OUTPUT: how}

    def _alone(self, row: Example) -> Predictions:
        """Run the model on one example, without others and without padding."""
        batch = moved(self.task.collate([row]), device_of(self.model))
        # With gradients on, though none is taken: reentrant checkpointing warns else.
        with torch.inference_mode(False), torch.enable_grad():
            found: Predictions = self.task.predictions(self.model, batch)
        return found
