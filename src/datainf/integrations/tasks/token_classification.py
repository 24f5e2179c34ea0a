"""TokenClassification: a class for each word; named entities, parts of speech.

    loss = mean over labelled tokens t of  -log softmax(logits[t])[label[t]]

one number an example, in float32, or float64 when the logits are: the model's own loss
for a batch of one. Words come split, with a label each; a text is split at white space.
A word's label goes to its first sub-token, or to all of them (`label_all_subtokens`);
special tokens, padding and words with the label -100 enter no loss. Nor does a word of
which the tokenizer makes no token, as in transformers' own example. Padding is on the
right: encoders count positions from the left. B examples of one batch, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from datainf.core.encodable import encodable
from datainf.core.errors import AdapterError, DataError, OptionError, near
from datainf.core.options import described
from datainf.core.task import Batch, Example
from datainf.integrations.tasks.by_token import ByToken
from datainf.integrations.tasks.labels import Classes, require_known_classes
from datainf.integrations.tasks.predictions import Categorical
from datainf.integrations.tasks.tokens import (
    IGNORED,
    brief,
    pad_id,
    pad_rows,
    require_column,
    require_short,
    shorten,
    token_limit,
    tokenizer_fingerprint,
)

_DEFAULT_LIMIT = 512


@dataclass(frozen=True)
class TokenClassification(ByToken):
    """One class out of C for every word.

    Attributes:
        tokenizer: The tokenizer the adapter was trained with; a fast one.
        words_column: Column with the words, or a text that is split at white space.
        label_column: Column with a label for each word: class numbers or names out of
            `labels`, -100 where nothing is learned.
        labels: Class names in the order of the class numbers, when rows hold names.
        num_labels: C, to refuse a label outside of it before the model runs.
        label_all_subtokens: Whether every sub-token of a word has its label.
        max_length: Most tokens of an example.
        truncation: Whether longer ones are cut or refused.

    Examples:
        >>> task = TokenClassification(tokenizer, labels=["O", "PER"])  # doctest: +SKIP
        >>> task.describe({"tokens": ["Ann", "left"], "ner_tags": [1, 0]})
        ... # doctest: +SKIP
        'Ann/PER left/O'
    """

    name: ClassVar[str] = "token-classification"
    task_type: ClassVar[str] = "TOKEN_CLS"
    model_class: ClassVar[str] = "AutoModelForTokenClassification"
    main_input: ClassVar[str] = "input_ids"
    heads: ClassVar[tuple[str, ...]] = ("classifier", "score")

    tokenizer: PreTrainedTokenizerBase
    words_column: str = described(
        "tokens", "Column with the words, or a text that is split at white space."
    )
    label_column: str = described(
        "ner_tags", "Column with a class number or name for each word."
    )
    labels: Sequence[str] | None = described(
        None, "Class names in the order of the class numbers, when rows hold names."
    )
    num_labels: int | None = described(
        None, "Number of classes; known from the labels' names when they are given."
    )
    label_all_subtokens: bool = described(
        False, "Learn every sub-token of a word, not its first alone."
    )
    max_length: int | None = described(
        None, "Most tokens of an example; the tokenizer's own limit, or else 512."
    )
    truncation: bool = described(True, "Cut longer examples; false refuses them.")

    def __post_init__(self) -> None:
        """Check and settle the options.

        Raises:
            OptionError: If the tokenizer cannot tell which word a token is of.
        """
        settle = object.__setattr__
        if not self.tokenizer.is_fast:
            raise OptionError(
                "token-classification needs a fast tokenizer, which knows the words of "
                "its tokens; load one with use_fast=True."
            )
        classes = Classes.of(self.labels, self.num_labels)
        settle(self, "labels", classes.names)
        settle(self, "num_labels", classes.count)
        limit = token_limit(self.tokenizer, self.max_length, _DEFAULT_LIMIT)
        settle(self, "max_length", limit)

    def for_columns(self, columns: Sequence[str]) -> "TokenClassification":
        """Check that data with these columns can be read.

        Args:
            columns: The data's column names.

        Returns:
            The task.

        Raises:
            DataError: If the words or labels are not there.
        """
        for column in (self.words_column, self.label_column):
            if column not in columns:
                raise DataError(
                    f"column {column!r} is missing: {near(column, columns)}."
                )
        return replace(self)

    def encode(self, example: Example) -> tuple[list[int], list[int]]:
        """Turn an example into tokens and labels.

        Args:
            example: A row.

        Returns:
            Its tokens after truncation, and their labels, -100 where none is learned.

        Raises:
            DataError: If the row cannot be read, is too long and nothing may be cut, or
                is left without a labelled token.
        """
        words, labels = self._words(example), self.label_of(example)
        if len(words) != len(labels):
            raise DataError(
                f"{len(words)} words and {len(labels)} labels in the row "
                f"{brief(example)}; every word needs one."
            )
        encoded = self._tokenize(words, cut=self.truncation)
        ids = list(encoded["input_ids"])
        require_short(len(ids), self._limit, example)
        aligned, before = [], None
        for word in encoded.word_ids():
            learned = word is not None and (self.label_all_subtokens or word != before)
            aligned.append(labels[word] if learned else IGNORED)
            before = word
        if all(label == IGNORED for label in aligned):
            raise DataError(
                f"no token to learn from in the row {brief(example)}: none has a "
                "label; raise max_length, or take the row out."
            )
        return ids, aligned

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Tokenise and pad examples, with a class number a token as `labels`."""
        encoded = [self.encode(example) for example in examples]
        return {
            "input_ids": pad_rows([ids for ids, _ in encoded], pad_id(self.tokenizer)),
            "attention_mask": pad_rows([[1] * len(ids) for ids, _ in encoded], 0),
            "labels": pad_rows([labels for _, labels in encoded], IGNORED),
        }

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute the mean cross entropy of every example's labelled tokens."""
        return self.predictions(model, batch).losses()

    def predictions(self, model: nn.Module, batch: Batch) -> Categorical:
        """Run the model: what it says of every labelled token.

        Args:
            model: Gives `logits [B, T, C]`.
            batch: What `collate` made, on the model's device.

        Returns:
            A distribution over the classes for each labelled token.

        Raises:
            AdapterError: If the model gives no row of logits for every token.
        """
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        labels = batch["labels"]
        logits = model(**inputs).logits
        if logits.ndim != 3 or logits.shape[:2] != labels.shape:
            raise AdapterError(
                "token-classification needs logits [B, T, C] for labels "
                f"{list(labels.shape)}, the model gives {list(logits.shape)}; is it a "
                "token classifier?"
            )
        require_known_classes(int(labels.max()), logits.shape[2])
        return Categorical(logits, labels)

    def describe(self, example: Example) -> str:
        """Write every word with its label."""
        labels = [
            "" if label == IGNORED else f"/{self._classes.name(label)}"
            for label in self.label_of(example)
        ]
        pairs = zip(self._words(example), labels, strict=False)
        return shorten(" ".join(word + label for word, label in pairs), 4000)

    def length(self, example: Example) -> int:
        """Count the example's tokens after truncation."""
        return len(self.encode(example)[0])

    def truncated(self, example: Example) -> bool:
        """Say whether the example is longer than `max_length`."""
        whole = self._tokenize(self._words(example), cut=False)
        return len(whole["input_ids"]) > self._limit

    def settings(self) -> dict[str, Any]:
        """Give every choice that changes a loss, as JSON values."""
        return {
            "name": self.name,
            "words_column": self.words_column,
            "label_column": self.label_column,
            "labels": None if self.labels is None else list(self.labels),
            "num_labels": self.num_labels,
            "label_all_subtokens": self.label_all_subtokens,
            "max_length": self.max_length,
            "truncation": self.truncation,
            "tokenizer": tokenizer_fingerprint(self.tokenizer),
        }

    def label_of(self, example: Example) -> tuple[int, ...]:
        """Give the class numbers of an example's words.

        Args:
            example: The row.

        Returns:
            One number a word, -100 where nothing is learned.

        Raises:
            DataError: If they are no list of classes.
        """
        given = require_column(example, self.label_column)
        if isinstance(given, (str, Mapping)) or not hasattr(given, "__len__"):
            raise DataError(
                f"column {self.label_column!r} must hold a list with a label for each "
                f"word, got {type(given).__name__} in the row {brief(example)}."
            )
        return tuple(
            IGNORED if _ignored(label) else self._classes.number(label, example)
            for label in given
        )

    @property
    def _classes(self) -> Classes:
        return Classes.of(self.labels, self.num_labels)

    @property
    def _limit(self) -> int:
        return token_limit(self.tokenizer, self.max_length, _DEFAULT_LIMIT)

    def _words(self, example: Example) -> list[str]:
        given = require_column(example, self.words_column)
        if isinstance(given, str):
            return str(encodable(given)).split()
        listed = isinstance(given, (list, tuple)) or hasattr(given, "tolist")
        if not listed or not all(isinstance(word, str) for word in given):
            raise DataError(
                f"column {self.words_column!r} must hold words or a text, got "
                f"{type(given).__name__} in the row {brief(example)}."
            )
        return [str(encodable(word)) for word in given]

    def _tokenize(self, words: Sequence[str], *, cut: bool) -> Any:
        cutting: dict[str, Any] = (
            {"truncation": True, "max_length": self.max_length}
            if cut
            else {"verbose": False}
        )
        try:
            return self.tokenizer(list(words), is_split_into_words=True, **cutting)
        except AssertionError as error:  # byte-level tokenizers, of spaces before words
            raise OptionError(
                f"the tokenizer takes no split words: {error} Load it with "
                "add_prefix_space=True."
            ) from error


def _ignored(label: Any) -> bool:
    return not isinstance(label, str) and label == IGNORED
