"""CallableTask: any function `(model, batch) -> [B]` as a task.

The function says what the loss of one example is; how rows become a batch may be left
to the default: token lists are padded on the right (`input_ids` with `pad_token_id`,
`labels` with -100, the rest with 0), an attention mask is added where there is none,
and everything else goes through torch's `default_collate`; texts stay out of the batch.
B examples of one batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import default_collate

from datainf.core.errors import DataError, OptionError
from datainf.core.task import Batch, Example
from datainf.integrations.tasks.tokens import (
    IGNORED,
    brief,
    pad_rows,
    shorten,
)
from datainf.integrations.tasks.values import qualified_name, source_of, values_of

_FILL = {
    "attention_mask": 0,
    "token_type_ids": 0,
    "position_ids": 0,
    "special_tokens_mask": 1,
    "completion_mask": 0,
    "assistant_masks": 0,
}


@dataclass(frozen=True)
class CallableTask:
    """A user's own loss.

    Attributes:
        loss: Gives one loss an example, differentiable, in the batch's order. It must
            not mix examples: the loss of one may not depend on the others.
        collator: Turns a list of rows into a batch; the default described above.
        describer: Writes a row for tables and reports; its text columns when not given.
        pad_token_id: Fills `input_ids` in the default collator.
        label: A name for the loss in settings; the function's own when not given.

    Examples:
        >>> import torch
        >>> task = CallableTask(lambda model, batch: model(batch["x"]).square().sum(1))
        >>> batch = task.collate([{"x": torch.ones(2)}, {"x": torch.zeros(2)}])
        >>> task.losses(torch.nn.Identity(), batch)
        tensor([2., 0.])
    """

    name: ClassVar[str] = "callable"
    task_type: ClassVar[None] = None

    loss: Callable[[Any, Any], Any]
    collator: Callable[[Any], Any] | None = None
    describer: Callable[[Any], str] | None = None
    pad_token_id: int = 0
    label: str | None = None

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Turn examples into one batch of tensors."""
        if self.collator is not None:
            return self.collator(list(examples))
        return _collate(examples, self.pad_token_id)

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Call the user's function and check what it gives.

        Args:
            model: Goes to the function.
            batch: Goes to the function.

        Returns:
            One loss an example.

        Raises:
            OptionError: If the function does not give one number an example.
        """
        losses = self.loss(model, batch)
        count = len(next(iter(batch.values())))
        if not isinstance(losses, Tensor) or losses.shape != (count,):
            came = (
                f"a tensor {list(losses.shape)}"
                if isinstance(losses, Tensor)
                else type(losses).__name__
            )
            raise OptionError(
                f"the loss {self._label} must give one number an example, [{count}] "
                f"here, got {came}; reduce over tokens, not over examples."
            )
        return losses

    def describe(self, example: Example) -> str:
        """Write the row's text columns, or what the user's own function writes."""
        if self.describer is not None:
            return self.describer(example)
        texts = [value for value in example.values() if isinstance(value, str)]
        return shorten(" ⟂ ".join(texts), 2000) if texts else brief(example)

    def length(self, example: Example) -> int:
        """Count the tokens that `collate` makes of the example; 1 without any."""
        tokens = self.collate([example]).get("input_ids")
        return 1 if tokens is None or tokens.ndim < 2 else int(tokens.shape[1])

    def settings(self) -> dict[str, Any]:
        """Give names, source hashes and values of the functions, as JSON values.

        The values are those that a function carries: arguments of a partial, closure,
        defaults, attributes of a callable object. Numbers, texts, tensors, functions,
        and lists and dictionaries of them count by what they are; anything else by the
        name of its type alone. What a function reads from its module does not count.
        What cannot be told apart this way `label` can. A value that changes from call
        to call, such as a counter, makes every run another one.

        Returns:
            What tells two losses apart.
        """
        return {
            "name": self.name,
            "loss": self._label,
            "loss_source": source_of(self.loss),
            "collator_source": None
            if self.collator is None
            else source_of(self.collator),
            "values": {
                "loss": values_of(self.loss),
                "collator": None if self.collator is None else values_of(self.collator),
            },
            "pad_token_id": self.pad_token_id,
        }

    @property
    def _label(self) -> str:
        return self.label or qualified_name(self.loss)


def _collate(examples: Sequence[Example], pad_token_id: int) -> dict[str, Any]:
    """Pad the token lists of the rows and stack everything else."""
    fill = {**_FILL, "input_ids": pad_token_id, "labels": IGNORED}
    batch: dict[str, Any] = {}
    for name in examples[0]:
        try:
            values = [example[name] for example in examples]
        except KeyError:
            raise DataError(
                f"column {name!r} is missing in some rows of a batch; give every row "
                "the same columns, or a collator of your own."
            ) from None
        if name in fill and all(_is_list(value) for value in values):
            batch[name] = pad_rows(
                [[int(i) for i in row] for row in values], fill[name]
            )
        else:
            batch[name] = _stack(name, values)
    if "input_ids" in batch and "attention_mask" not in batch:
        widths = [len(example["input_ids"]) for example in examples]
        batch["attention_mask"] = pad_rows([[1] * width for width in widths], 0)
    return {name: value for name, value in batch.items() if isinstance(value, Tensor)}


def _is_list(value: object) -> bool:
    return (isinstance(value, Tensor) and value.ndim == 1) or isinstance(
        value, (list, tuple)
    )


def _stack(name: str, values: list[Any]) -> Any:
    """Stack values; texts stay as they are (and are then left out of the batch)."""
    try:
        return default_collate(values)
    except (RuntimeError, TypeError) as error:
        raise DataError(
            f"column {name!r} cannot be made one tensor ({shorten(str(error), 200)}); "
            "give a collator of your own."
        ) from error
