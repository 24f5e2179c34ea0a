"""SequenceClassification: one or two texts, and a class, several classes or a number.

    loss = -log softmax(logits)[label]        one number an example

for one class; `problems` has the losses of the others. Computed in float32, or float64
when the logits are. Batches are padded on the right
whatever the tokenizer's side is: encoders count positions from the left, and
classifiers on decoders read the last token that is not padding, so only there results
are the same at any width. B examples of one batch, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from datainf.core.errors import AdapterError, DataError, OptionError, near
from datainf.core.options import described, word
from datainf.core.task import Batch, Example
from datainf.integrations.tasks.labels import Classes
from datainf.integrations.tasks.predictions import Bernoulli, Categorical, Gaussian
from datainf.integrations.tasks.problems import (
    Problem,
    Target,
    as_tensor,
    problem_predictions,
    require_classes,
    require_same_problem,
    target_of,
)
from datainf.integrations.tasks.tokens import (
    pad_id,
    pad_rows,
    require_column,
    require_short,
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
    """Classification of one or two texts, into one class or several, or a number.

    Attributes:
        tokenizer: The tokenizer the adapter was trained with.
        text_columns: One or two column names; looked for when not given.
        label_column: Column with the label: a class number, or a name out of `labels`;
            for several classes a list of them or a 0/1 for each class; a number.
        labels: Class names in the order of the class numbers, when rows hold names.
        num_labels: C, to refuse a label outside of it before the model runs; known from
            `labels` when they are given.
        max_length: Most tokens of an example.
        truncation: Whether longer ones are cut (the longer text first) or refused.
        problem: What is predicted: transformers' `config.problem_type`.

    Examples:
        >>> task = SequenceClassification(tokenizer)            # doctest: +SKIP
        >>> task.describe({"sentence": "fine film", "label": 1})  # doctest: +SKIP
        'fine film → 1'
    """

    name: ClassVar[str] = "sequence-classification"
    task_type: ClassVar[str] = "SEQ_CLS"
    model_class: ClassVar[str] = "AutoModelForSequenceClassification"
    main_input: ClassVar[str] = "input_ids"
    heads: ClassVar[tuple[str, ...]] = ("classifier", "score")

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
    problem: Problem | str = described(
        Problem.SINGLE,
        "What the head predicts: single_label_classification, "
        "multi_label_classification or regression.",
    )

    def __post_init__(self) -> None:
        """Check and settle the options.

        Raises:
            OptionError: If there are not one or two text columns.
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
        settle(self, "problem", word(Problem, self.problem, "problem"))
        classes = Classes.of(self.labels, self.num_labels)
        classes = require_classes(self._problem, classes)
        settle(self, "labels", classes.names)
        settle(self, "num_labels", classes.count)
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
        """Tokenise and pad examples, with what is predicted as `labels`."""
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
        return {**batch, "labels": as_tensor(self._problem, labels)}

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute the loss of every example."""
        return self.predictions(model, batch).losses()

    def predictions(
        self, model: nn.Module, batch: Batch
    ) -> Categorical | Bernoulli | Gaussian:
        """Run the model: what it says of every example's label.

        Args:
            model: Gives `logits [B, C]`.
            batch: What `collate` made, on the model's device.

        Returns:
            A distribution over the labels of each example.

        Raises:
            AdapterError: If the model does not give one row of logits an example.
        """
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        labels = batch["labels"]
        self.require_model(model)
        self._require_padding_known(model, len(labels))
        logits = model(**inputs).logits
        fewest = 2 if self._problem is Problem.SINGLE else 1
        if logits.ndim != 2 or logits.shape[1] < fewest:
            raise AdapterError(
                f"sequence-classification needs logits [B, C] of at least {fewest} "
                f"{'classes' if fewest > 1 else 'output'}, the model gives "
                f"{list(logits.shape)}; is it a sequence classifier?"
            )
        return problem_predictions(self._problem, logits, labels)

    def require_model(self, model: nn.Module) -> None:
        """Refuse a model whose configuration says that it predicts something else."""
        require_same_problem(getattr(model, "config", None), self._problem)

    def describe(self, example: Example) -> str:
        """Write `text ⟂ second text → label`."""
        texts = [
            shorten(require_text(example, column), 1000)
            for column in self._columns(example)
        ]
        return f"{' ⟂ '.join(texts)} → {self._label_text(example)}"

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
            "problem": str(self.problem),
            "tokenizer": tokenizer_fingerprint(self.tokenizer),
        }

    def label_of(self, example: Example) -> Target:
        """Give the label of an example as the loss reads it.

        Args:
            example: The row.

        Returns:
            A class number, a 0/1 for each class, or a real number.
        """
        given = require_column(example, self.label_column)
        return target_of(self._problem, given, self._classes, example)

    @cached_property
    def pad_token_id(self) -> int:
        """The id that fills a batch."""
        return pad_id(self.tokenizer)

    @property
    def _problem(self) -> Problem:
        return Problem(self.problem)

    @property
    def _classes(self) -> Classes:
        return Classes.of(self.labels, self.num_labels)

    def _label_text(self, example: Example) -> str:
        """Write the label by its classes' names, or as it stands."""
        if self._problem is Problem.SINGLE and self.labels is None:
            return str(example.get(self.label_column))
        label = self.label_of(example)
        if isinstance(label, tuple):
            marked = [self._classes.name(c) for c, on in enumerate(label) if on]
            return ", ".join(marked) or "none"
        return self._classes.name(label) if isinstance(label, int) else f"{label:g}"

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
        require_short(count, self._limit, example)
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
