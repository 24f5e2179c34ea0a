"""Task: what "the loss of one example" means. B examples of one batch, T tokens."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn

Example = Mapping[str, Any]
Batch = Mapping[str, Tensor]


@runtime_checkable
class Task(Protocol):
    """How examples become a batch and a batch becomes one loss an example.

    Laws, held by contract tests on every task:
        - the loss of an example does not depend on the others in its batch, on padding,
          or on the batch's order, beyond rounding;
        - padding and prompt tokens never enter a loss;
        - `length` is the number of tokens that `collate` makes of the example alone.
    """

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Turn examples into one batch of tensors, first dimension B."""
        ...

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute one loss an example, differentiable, in the batch's order."""
        ...

    def describe(self, example: Example) -> str:
        """Write the example as one text for tables and reports."""
        ...

    def length(self, example: Example) -> int:
        """Count the example's tokens after truncation, for batches of like lengths."""
        ...

    def settings(self) -> dict[str, Any]:
        """Give every choice that changes a loss, as JSON values, for the manifest."""
        ...


@runtime_checkable
class RepeatingTask(Task, Protocol):
    """A task that shows its model several rows of one example in one call.

    Noises and timesteps of a diffusion model, frames, answers to choose from. Rows
    that lie together are summed by rule, R · B of them where a layer gets that many;
    of a task that says nothing only layers with B rows are, and the others are looped.

    Law: wherever a layer gets R · B rows, row i is of example i // R, as
    `repeat_interleave` and folding a dimension into the batch put them, and never of
    example i % B, as `repeat` and joined batches do.
    """

    @property
    def rows_together(self) -> bool:
        """Whether the law holds."""
        ...


@runtime_checkable
class PicturedTask(Task, Protocol):
    """A task whose examples have a picture, which a report shows."""

    def picture(self, example: Example) -> bytes:
        """Draw the example small: the bytes of a WebP file, at most 160 pixels wide."""
        ...


class TokenLosses(NamedTuple):
    """The losses of a batch, token by token.

    Attributes:
        losses: The loss of each token; anything, finite, where none is learned.
        weights: What it counts in the example's loss, 0 where none is learned:
            Σ_t weights · losses = the example's loss.
    """

    losses: Float[Tensor, "B T"]
    weights: Float[Tensor, "B T"]


@runtime_checkable
class TokenTask(Task, Protocol):
    """A task whose losses are weighted sums over tokens: language models, taggers.

    Law, held by contract tests: token losses times weights sum to `losses`.
    """

    def token_losses(self, model: nn.Module, batch: Batch) -> TokenLosses:
        """Compute the loss of every token, differentiable, with its weight."""
        ...

    def token_texts(self, example: Example) -> list[str]:
        """Write each of the T tokens of a batch of this example alone."""
        ...


class Part(NamedTuple):
    """Some rows of a batch, in one of the passes that their losses are made of.

    Attributes:
        rows: Which rows of the batch they are.
        batch: A batch of those rows, for `losses`.
    """

    rows: Int[Tensor, " b"]
    batch: Batch


@runtime_checkable
class PartedTask(Task, Protocol):
    """A task whose losses are sums over passes of the model: timesteps of diffusion.

    Gradients are taken part by part, so that one pass at a time is held in memory.

    Law, held by contract tests: the losses of the parts, added up row by row, are the
    losses of the batch.
    """

    def parts(self, batch: Batch) -> Iterator[Part]:
        """Cut a batch into passes."""
        ...
