"""SequenceClassification: one or two texts, one label out of C classes.

    loss = -log softmax(logits)[label]        one number an example

computed in float32, or float64 when the logits are. Batches are padded on the right
whatever the tokenizer's side is: encoders count positions from the left, and
classifiers on decoders read the last token that is not padding, so only there results
are the same at any width. B examples of one batch, C classes.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from datainf.core.errors import AdapterError, DataError, OptionError, near
from datainf.core.options import described
from datainf.core.task import Batch, Example
from datainf.integrations.tasks.tokens import (
    at_least_float32,
    brief,
    pad_id,
    pad_rows,
    require_column,
    require_text,
    shorten,
    token_limit,
    tokenizer_fingerprint,
)

DEFAULT_TEXT_COLUMNS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("sentence",),
    ("text",),
    ("sentence1",),
)
"""What is looked for, in this order, when `text_columns` is not given."""

_DEFAULT_LIMIT = 512


@dataclass(frozen=True)
class SequenceClassification:
    """Single-label classification of one or two texts.

    Attributes:
        tokenizer: The tokenizer the adapter was trained with.
        text_columns: One or two column names; looked for when not given.
        label_column: Column with the label: a class number, or a name out of `labels`.
        labels: Class names in the order of the class numbers, when rows hold names.
        num_labels: C, to refuse a label outside of it before the model runs; known from
            `labels` when they are given.
        max_length: Most tokens of an example.
        truncation: Whether longer ones are cut (the longer text first) or refused.

    Example:
        >>> task = SequenceClassification(tokenizer)            # doctest: +SKIP
        >>> task.describe({"sentence": "fine film", "label": 1})  # doctest: +SKIP
        'fine film → 1'
    """

    name: ClassVar[str] = "sequence-classification"
    task_type: ClassVar[str] = "SEQ_CLS"

    tokenizer: PreTrainedTokenizerBase
    text_columns: Sequence[str] | None = described(
        None,
        "One or two text columns; when not given: sentence1 and sentence2, premise and "
        "hypothesis, question1 and question2, question and sentence, or else sentence, "
        "text or sentence1 alone.",
    )
    label_column: str = described("label", "Column with the class number or name.")
    labels: Sequence[str] | None = described(
        None, "Class names in the order of the class numbers, when rows hold names."
    )
    num_labels: int | None = described(
        None, "Number of classes; known from the labels' names when they are given."
    )
    max_length: int | None = described(
        None, "Most tokens of an example; the tokenizer's own limit, or else 512."
    )
    truncation: bool = described(
        True, "Cut longer examples, the longer text first; false refuses them."
    )

    def __post_init__(self) -> None:
        """Check and settle the options.

        Raises:
            OptionError: If there are not one or two text columns, names of labels occur
                twice, or `num_labels` contradicts them.
        """
        settle = object.__setattr__
        if self.text_columns is not None:
            given = self.text_columns
            columns = (given,) if isinstance(given, str) else tuple(given)
            if len(columns) not in (1, 2):
                raise OptionError(
                    f"text_columns must name one or two columns, got {len(columns)}."
                )
            settle(self, "text_columns", columns)
        if self.labels is not None:
            names = tuple(self.labels)
            if len(set(names)) != len(names):
                raise OptionError(f"labels must differ, got {', '.join(names)}.")
            if self.num_labels not in (None, len(names)):
                raise OptionError(
                    f"num_labels={self.num_labels} contradicts the {len(names)} labels "
                    "that are named; leave it out."
                )
            settle(self, "labels", names)
            settle(self, "num_labels", len(names))
        settle(
            self,
            "max_length",
            token_limit(self.tokenizer, self.max_length, _DEFAULT_LIMIT),
        )

    def for_columns(self, columns: Sequence[str]) -> "SequenceClassification":
        """Fix the text columns for data with these columns.

        Args:
            columns: The data's column names.

        Returns:
            A task that names its text columns.

        Raises:
            DataError: If the text or label columns are not there.
        """
        for column in (*(self.text_columns or ()), self.label_column):
            if column not in columns:
                raise DataError(
                    f"column {column!r} is missing: {near(column, columns)}."
                )
        return replace(self, text_columns=self._columns(columns))

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Tokenise and pad examples, with their class numbers as `labels`."""
        labels = [self.label_of(example) for example in examples]
        encoded = [self._encode(example) for example in examples]
        widths = [len(row["input_ids"]) for row in encoded]
        batch = {
            "input_ids": pad_rows(
                [row["input_ids"] for row in encoded], self.pad_token_id
            ),
            "attention_mask": pad_rows([[1] * width for width in widths], 0),
        }
        if "token_type_ids" in encoded[0]:
            batch["token_type_ids"] = pad_rows(
                [row["token_type_ids"] for row in encoded], 0
            )
        return {**batch, "labels": torch.tensor(labels, dtype=torch.long)}

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute the cross entropy of every example.

        Args:
            model: Gives `logits [B, C]`.
            batch: What `collate` made, on the model's device.

        Returns:
            One loss an example.

        Raises:
            AdapterError: If the model does not give one row of logits an example.
            DataError: If a label is outside of the model's classes.
        """
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        labels = batch["labels"]
        self._require_padding_known(model, len(labels))
        logits = model(**inputs).logits
        if logits.ndim != 2 or logits.shape[1] < 2:
            raise AdapterError(
                f"sequence-classification needs logits [B, C] of at least 2 classes, "
                f"the model gives {list(logits.shape)}; is it a sequence classifier?"
            )
        highest = int(labels.max())
        if highest >= logits.shape[1]:
            raise DataError(
                f"label {highest} is outside of the model's classes 0 to "
                f"{logits.shape[1] - 1}; correct the data, or train a head with more "
                "classes."
            )
        return nn.functional.cross_entropy(
            at_least_float32(logits), labels, reduction="none"
        )

    def describe(self, example: Example) -> str:
        """Write `text ⟂ second text → label`."""
        texts = [
            shorten(require_text(example, column), 1000)
            for column in self._columns(example)
        ]
        label: Any = example.get(self.label_column)
        if self.labels is not None:
            label = self.labels[self.label_of(example)]
        return f"{' ⟂ '.join(texts)} → {label}"

    def length(self, example: Example) -> int:
        """Count the example's tokens after truncation."""
        return len(self._encode(example)["input_ids"])

    def truncated(self, example: Example) -> bool:
        """Say whether the example is longer than `max_length`."""
        return len(self._tokenize(example, cut=False)["input_ids"]) > self._limit

    def settings(self) -> dict[str, Any]:
        """Give every choice that changes a loss, as JSON values."""
        columns, labels = self.text_columns, self.labels
        return {
            "name": self.name,
            "text_columns": None if columns is None else list(columns),
            "label_column": self.label_column,
            "labels": None if labels is None else list(labels),
            "num_labels": self.num_labels,
            "max_length": self.max_length,
            "truncation": self.truncation,
            "tokenizer": tokenizer_fingerprint(self.tokenizer),
        }

    def label_of(self, example: Example) -> int:
        """Give the class number of an example.

        Args:
            example: The row.

        Returns:
            A number from 0, below `num_labels` where that is known.

        Raises:
            DataError: If the label is no class.
        """
        given = require_column(example, self.label_column)
        where = f"in the row {brief(example)}"
        if isinstance(given, str) and self.labels is not None:
            if given not in self.labels:
                raise DataError(
                    f"label {given!r} is unknown {where}: {near(given, self.labels)}."
                )
            return self.labels.index(given)
        try:
            label = int(given) if isinstance(given, str) else operator.index(given)
        except (TypeError, ValueError):
            raise DataError(
                f"label {given!r} is no class number {where}; make the column whole "
                "numbers from 0, or give the class names in order as labels=."
            ) from None
        if label < 0 or (self.num_labels is not None and label >= self.num_labels):
            top = "" if self.num_labels is None else f" to {self.num_labels - 1}"
            raise DataError(
                f"label {label} is outside of the classes 0{top or ' and up'} {where}; "
                "correct the row or take it out."
            )
        return label

    @cached_property
    def pad_token_id(self) -> int:
        """The id that fills a batch."""
        return pad_id(self.tokenizer)

    @property
    def _limit(self) -> int:
        return token_limit(self.tokenizer, self.max_length, _DEFAULT_LIMIT)

    def _columns(self, present: Sequence[str] | Mapping[str, Any]) -> tuple[str, ...]:
        """Choose the text columns out of those that are there."""
        if self.text_columns is not None:
            return tuple(self.text_columns)
        fitting = [
            columns
            for columns in DEFAULT_TEXT_COLUMNS
            if all(column in present for column in columns)
        ]
        listed = ", ".join(present)
        if not fitting:
            raise DataError(
                f"no text column known among {listed}; name one or two with "
                "text_columns=."
            )
        if any(set(columns) - set(fitting[0]) for columns in fitting[1:]):
            raise DataError(
                f"more than one choice of text columns among {listed}; name one or two "
                "with text_columns=."
            )
        return fitting[0]

    def _tokenize(self, example: Example, *, cut: bool) -> Mapping[str, list[int]]:
        texts = [require_text(example, name) for name in self._columns(example)]
        if not cut:
            return self.tokenizer(*texts, verbose=False)
        return self.tokenizer(*texts, truncation=True, max_length=self.max_length)

    def _encode(self, example: Example) -> Mapping[str, list[int]]:
        encoded = self._tokenize(example, cut=self.truncation)
        count = len(encoded["input_ids"])
        if count > self._limit:
            raise DataError(
                f"{count} tokens are more than max_length={self.max_length} in the row "
                f"{brief(example)}; raise max_length, or let truncation cut the row."
            )
        return encoded

    def _require_padding_known(self, model: nn.Module, count: int) -> None:
        """Refuse a model that would take our padding for text, or text for padding."""
        config = getattr(model, "config", None)
        if count == 1 or config is None:
            return
        known = getattr(config, "pad_token_id", None)
        if known != self.pad_token_id:
            raise AdapterError(
                f"the tokenizer pads with token {self.pad_token_id}, "
                f"model.config.pad_token_id is {known}, and classifiers find "
                f"the text's end by it; set "
                f"model.config.pad_token_id = {self.pad_token_id}, as in training."
            )
