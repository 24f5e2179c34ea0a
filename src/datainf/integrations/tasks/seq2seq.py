"""Seq2Seq: the loss of a target text, given a source text; T5, BART and their kin.

    loss = mean (or sum) over target tokens t of
           -log p(token t | source, target tokens before t)

one number an example, in float32, or float64 when the logits are: what the model's own
`labels=` give for a batch of one. The decoder's inputs are the target moved right, as
the model itself moves it. Source and padding enter no loss. Every choice that must
match training is a field, and stands in `settings()`:

- `prompt` -> `completion`: `prefix` + prompt through the tokenizer, and the completion
  through its target side (`text_target`), each with the special tokens that the
  tokenizer itself puts around it;
- rows already tokenised: `input_ids` -> `labels`, as they are.

Both sides are padded on the right: encoders with learned positions count from the left.
B examples of one batch, S and T tokens of the longest source and target, V words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from datainf.core.errors import AdapterError, DataError
from datainf.core.options import Reduction, described, word
from datainf.core.task import Batch, Example
from datainf.integrations.tasks.by_token import ByToken
from datainf.integrations.tasks.predictions import Categorical
from datainf.integrations.tasks.rows import (
    PAIR_SHAPES,
    check_names,
    read_token_pair,
    shape_of,
)
from datainf.integrations.tasks.tokens import (
    IGNORED,
    brief,
    pad_id,
    pad_rows,
    require_short,
    require_text,
    shorten,
    token_limit,
    tokenizer_fingerprint,
)

_DEFAULT_LIMIT = 1024
_NAMES = tuple(name for names in PAIR_SHAPES.values() for name in names)


@dataclass(frozen=True)
class Seq2Seq(ByToken):
    """A target text from a source text. Each field's `help` says what it does.

    Attributes:
        tokenizer: The tokenizer the adapter was trained with.

    Examples:
        >>> task = Seq2Seq(tokenizer, prefix="summarize: ")           # doctest: +SKIP
        >>> task.describe({"prompt": "long text", "completion": "text"})
        ... # doctest: +SKIP
        'long text → text'
    """

    name: ClassVar[str] = "seq2seq"
    task_type: ClassVar[str] = "SEQ_2_SEQ_LM"
    model_class: ClassVar[str] = "AutoModelForSeq2SeqLM"
    main_input: ClassVar[str] = "input_ids"
    labelled: ClassVar[str] = "labels"
    heads: ClassVar[tuple[str, ...]] = ()

    tokenizer: PreTrainedTokenizerBase
    columns: Mapping[str, str] = described(
        {}, "Names of the data's columns, where they differ: {prompt: document}."
    )
    prefix: str = described(
        "", "Text before every prompt, such as 'summarize: ' for T5."
    )
    max_length: int | None = described(
        None, "Most tokens of a source; the tokenizer's own limit, or else 1024."
    )
    max_target_length: int | None = described(
        None, "Most tokens of a target; as many as max_length when not given."
    )
    truncation: bool = described(
        True, "Cut longer sources and targets; false refuses them."
    )
    add_special_tokens: bool = described(
        True, "Put the tokenizer's own special tokens around both texts."
    )
    reduction: Reduction | str = described(
        Reduction.MEAN, "An example's loss: mean over its target tokens, or their sum."
    )

    def __post_init__(self) -> None:
        """Check and settle the options."""
        settle = object.__setattr__
        settle(self, "reduction", word(Reduction, self.reduction, "reduction"))
        limit = token_limit(self.tokenizer, self.max_length, _DEFAULT_LIMIT)
        settle(self, "max_length", limit)
        asked = limit if self.max_target_length is None else self.max_target_length
        of_target = token_limit(self.tokenizer, asked, limit)
        settle(self, "max_target_length", of_target)
        check_names(self.columns, _NAMES)

    def for_columns(self, columns: Sequence[str]) -> "Seq2Seq":
        """Fix which columns are read, for data with these.

        Args:
            columns: The data's column names.

        Returns:
            A task that names its columns; a DataError comes if they fit no shape.
        """
        names = PAIR_SHAPES[self._shape(dict.fromkeys(columns))]
        fixed = {name: self._column(name) for name in names}
        return replace(self, columns={**fixed, **self.columns})

    def encode(self, example: Example) -> tuple[list[int], list[int]]:
        """Turn an example into tokens.

        Args:
            example: A row of either shape.

        Returns:
            Tokens of the source and labels of the target, cut to their limits.

        Raises:
            DataError: If the row cannot be read, is too long and nothing may be cut, or
                has no source or no target token.
        """
        source, target = self._tokens(example, cut=self.truncation)
        require_short(len(source), self._limits[0], example)
        require_short(len(target), self._limits[1], example, "max_target_length")
        if not source:
            raise DataError(
                f"no token in the prompt of the row {brief(example)}; fill it or take "
                "the row out."
            )
        if all(label == IGNORED for label in target):
            raise DataError(
                f"no token to learn from in the row {brief(example)}; give it a "
                "completion, or take the row out."
            )
        return source, target

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Tokenise and pad examples, with their target tokens as `labels`."""
        encoded = [self.encode(example) for example in examples]
        sources = [source for source, _ in encoded]
        return {
            "input_ids": pad_rows(sources, pad_id(self.tokenizer)),
            "attention_mask": pad_rows([[1] * len(row) for row in sources], 0),
            "labels": pad_rows([target for _, target in encoded], IGNORED),
        }

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute the loss of every example's target."""
        return self.predictions(model, batch).losses()

    def predictions(self, model: nn.Module, batch: Batch) -> Categorical:
        """Run the model: what it says of every target token, given those before it.

        Args:
            model: An encoder with a decoder, that gives `logits [B, T, V]`.
            batch: What `collate` made, on the model's device.

        Returns:
            A distribution over the words for each target token.
        """
        labels = batch["labels"]
        # Given labels, the model would compute a loss of its own over the whole batch.
        logits = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            decoder_input_ids=_moved_right(model, labels),
            use_cache=False,
        ).logits
        return Categorical(logits, labels, self.reduction)

    def describe(self, example: Example) -> str:
        """Write `prompt → completion`."""
        if self._shape(example) == "tokens":
            pair = [
                self.tokenizer.decode([i for i in ids if i != IGNORED])
                for ids in read_token_pair(example, self.columns)
            ]
        else:
            pair = self._texts(example)
        return " → ".join(shorten(text, 2000) for text in pair)

    def length(self, example: Example) -> int:
        """Count the tokens of source and target after truncation."""
        return sum(map(len, self.encode(example)))

    def truncated(self, example: Example) -> bool:
        """Say whether the source or the target is longer than its limit."""
        whole = self._tokens(example, cut=False)
        return any(len(i) > n for i, n in zip(whole, self._limits, strict=True))

    def settings(self) -> dict[str, Any]:
        """Give every choice that changes a loss, as JSON values."""
        return {
            "name": self.name,
            "columns": dict(self.columns),
            "prefix": self.prefix,
            "max_length": self.max_length,
            "max_target_length": self.max_target_length,
            "truncation": self.truncation,
            "add_special_tokens": self.add_special_tokens,
            "reduction": str(self.reduction),
            "tokenizer": tokenizer_fingerprint(self.tokenizer),
        }

    @property
    def _limits(self) -> tuple[int, int]:
        return int(self.max_length or 0), int(self.max_target_length or 0)

    def _column(self, name: str) -> str:
        return self.columns.get(name, name)

    def _shape(self, present: Mapping[str, Any]) -> str:
        return shape_of(present, self.columns, PAIR_SHAPES)

    def _texts(self, example: Example) -> list[str]:
        names = PAIR_SHAPES["prompt-completion"]
        return [require_text(example, self._column(name)) for name in names]

    def _tokens(self, example: Example, *, cut: bool) -> tuple[list[int], list[int]]:
        if self._shape(example) == "tokens":
            source, target = read_token_pair(example, self.columns)
            if not cut:
                return source, target
            return source[: self._limits[0]], target[: self._limits[1]]
        prompt, completion = self._texts(example)
        options: dict[str, Any] = {"add_special_tokens": self.add_special_tokens}
        # The tokenizer's own cutting keeps the special tokens at the end.
        of_source, of_target = (
            {**options, "truncation": True, "max_length": limit}
            if cut
            else {**options, "verbose": False}
            for limit in self._limits
        )
        source = self.tokenizer(self.prefix + prompt, **of_source)["input_ids"]
        target = self.tokenizer(text_target=completion, **of_target)["input_ids"]
        return list(source), list(target)


def _moved_right(model: nn.Module, labels: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
    """Make the decoder's inputs of labels, as the model does for its own loss."""
    move = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if move is None:
        raise AdapterError(
            f"seq2seq needs a model with an encoder and a decoder, got a "
            f"{type(model).__name__}; is it a sequence-to-sequence model?"
        )
    try:
        moved: Tensor = move(labels=labels)
    except ValueError as error:
        raise AdapterError(
            f"the decoder's first token is not known: {error} Set "
            "model.config.decoder_start_token_id as in training."
        ) from error
    return moved
