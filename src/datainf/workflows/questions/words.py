"""A text and a class for each of its words.

Left empty, the classes are the adapter's own. A word of which the tokenizer makes no
token, or that is cut, has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datainf.core.errors import DataError
from datainf.core.questions import Field, Said
from datainf.integrations.tasks.token_classification import TokenClassification
from datainf.integrations.tasks.tokens import IGNORED
from datainf.workflows.judgement import predictions_of
from datainf.workflows.questions.base import Posed, Question


@dataclass(frozen=True)
class WordsQuestion(Question):
    """Words, and their classes."""

    task: TokenClassification

    @property
    def fields(self) -> tuple[Field, ...]:
        """The words, and their classes in the same order."""
        known = "" if self.task.labels is None else f" of {', '.join(self.task.labels)}"
        return (
            Field("words", "Text", hint="Split at white space.", needed=True),
            Field(
                "classes",
                "Classes",
                hint=f"One{known} for each word, with spaces between them. Left empty, "
                "the adapter's own.",
            ),
        )

    def posed(self, given: Mapping[str, Any], folder: Path) -> Posed:
        """Put a class beside each word."""
        del folder
        words = given["words"].split()
        if "classes" in given:
            classes = given["classes"].split()
            if len(classes) != len(words):
                raise DataError(
                    f"{len(words)} words and {len(classes)} classes; give every word "
                    "one, or leave them all out."
                )
            return Posed(self._row(words, classes))
        found = self._own(words)
        row = self._row(words, found)
        return Posed(row, Said("The adapter says", self.task.describe(row)))

    def _own(self, words: list[str]) -> list[int]:
        """Ask the adapter, at the first token of each word."""
        # Each word stands in for its own class: so a token says which word it is of.
        places = list(range(len(words)))
        free = replace(
            self.task, labels=None, num_labels=None, label_all_subtokens=False
        )
        _, aligned = free.encode(self._row(words, places))
        row = self._row(words, [0] * len(words))
        found: Any = predictions_of(self.model, free, [row])
        classes = [IGNORED] * len(words)
        for token, word in enumerate(aligned):
            if word != IGNORED:
                classes[word] = int(found.logits[0, token].argmax())
        return classes

    def _row(self, words: list[str], classes: list[Any]) -> dict[str, Any]:
        return {self.task.words_column: words, self.task.label_column: classes}
