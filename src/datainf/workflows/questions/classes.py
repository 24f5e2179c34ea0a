"""A text or an image and its label: classes, several classes, or a number.

Left empty, a label is what the adapter itself says: the likeliest class, or every class
with a probability above one half. A number is needed: at the adapter's own the squared
error has no gradient, and every score would be 0. C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datainf.core.questions import Entry, Field, Said
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.labels import Classes
from datainf.integrations.tasks.problems import Problem
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows.judgement import predictions_of
from datainf.workflows.questions.base import Posed, Question

_ITSELF = "The adapter says"
_WHY_NEEDED = "What you expected: at the adapter's own number nothing pulls either way."


@dataclass(frozen=True)
class ClassQuestion(Question):
    """What is to be classified, and its label."""

    task: SequenceClassification | ImageClassification

    @property
    def fields(self) -> tuple[Field, ...]:
        """The text, two of them, or the image; and the label."""
        open_hint = "Left empty, the adapter's own."
        if self._problem is Problem.REGRESSION:
            label = Field("label", "Number", Entry.NUMBER, _WHY_NEEDED, needed=True)
        else:
            one = self._problem is Problem.SINGLE
            label = Field(
                "label",
                "Class" if one else "Classes",
                Entry.CHOICE if one else Entry.CHOICES,
                open_hint,
                choices=self._names,
            )
        if isinstance(self.task, ImageClassification):
            return Field("image", "Image", Entry.PICTURE, needed=True), label
        return (
            *(
                Field(
                    name,
                    name.capitalize(),
                    needed=True,
                    example=str(self.first[name]),
                )
                for name in self._texts
            ),
            label,
        )

    def posed(self, given: Mapping[str, Any], folder: Path) -> Posed:
        """Put the label beside what it is of."""
        del folder
        if isinstance(self.task, ImageClassification):
            row = {self.task.image_column: given["image"]}
        else:
            row = {name: given[name] for name in self._texts}
        if self._problem is Problem.REGRESSION:
            said = Said(_ITSELF, f"{self._number(row):.4g}")
            return Posed(self._labelled(row, float(given["label"])), said)
        if "label" in given:
            return Posed(self._labelled(row, self._label(given["label"])))
        label, text = self._own(row)
        return Posed(self._labelled(row, label), Said(_ITSELF, text))

    def _number(self, row: Mapping[str, Any]) -> float:
        """Ask the adapter for its number."""
        rows = [self._labelled(row, 0)]
        return float(predictions_of(self.model, self.task, rows).means[0])

    def _own(self, row: Mapping[str, Any]) -> tuple[Any, str]:
        """Ask the adapter; the stand-in for a label has no part in what it says."""
        stand_in: Any = [0.0] * len(self._names) if self._several else 0
        rows = [self._labelled(row, stand_in)]
        found: Any = predictions_of(self.model, self.task, rows)
        if self._several:
            chances = found.logits[0].double().sigmoid().tolist()
            marked = [c for c, chance in enumerate(chances) if chance > 0.5]
            text = ", ".join(f"{self._names[c]} ({chances[c]:.0%})" for c in marked)
            return [float(c in marked) for c in range(len(chances))], text or "none"
        chances = found.logits[0, 0].double().softmax(dim=0).tolist()
        best = max(range(len(chances)), key=chances.__getitem__)
        return best, f"{self._names[best]} ({chances[best]:.0%})"

    def _label(self, given: Any) -> Any:
        """Turn what was chosen into what the label column may hold."""
        if self._several:
            return [float(name in given) for name in self._names]
        return self._names.index(given)

    def _labelled(self, row: Mapping[str, Any], label: Any) -> dict[str, Any]:
        return {**row, self.task.label_column: label}

    @property
    def _problem(self) -> Problem:
        return Problem(getattr(self.task, "problem", Problem.SINGLE))

    @property
    def _several(self) -> bool:
        return self._problem is Problem.MULTI

    @property
    def _texts(self) -> tuple[str, ...]:
        """The text columns of the training rows."""
        task: Any = self.task
        return tuple(task.for_columns(list(self.first)).text_columns)

    @property
    def _names(self) -> tuple[str, ...]:
        """Name the C classes."""
        config: Any = getattr(self.model, "config", None)
        count = self.task.num_labels or config.num_labels
        classes = Classes.of(self.task.labels, count)
        return tuple(classes.name(c) for c in range(count))
