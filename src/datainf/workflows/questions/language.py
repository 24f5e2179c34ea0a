"""A prompt and its answer: language models, and models from text to text.

The row has the shape of the training rows: two texts, a conversation, one text, or
tokens. Left empty, the answer is what the adapter itself writes, by greedy decoding.
White space that all training prompts end with, or all answers begin with, is easily
left out of a form: it is named beforehand, and missed aloud.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from datainf.core.errors import DatainfWarning
from datainf.core.options import number
from datainf.core.questions import Entry, Field, Said
from datainf.integrations.generation import MOST_TOKENS, answer
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.rows import PAIR_SHAPES, SHAPES, shape_of
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.workflows.questions.base import Posed, Question

_STAND_IN = "a"
_NAMES = {" ": "a space", "\n": "a line break", "\t": "a tab"}
_LOOKED_AT = 100
"""Training rows whose white space is looked at."""


@dataclass(frozen=True)
class LanguageQuestion(Question):
    """A prompt, and what follows it."""

    task: CausalLM | Seq2Seq

    @property
    def fields(self) -> tuple[Field, ...]:
        """Prompt, answer, and the system's words where the training rows have them."""
        most = "Most tokens that the adapter writes"
        after, before = self._edges
        found = [
            Field(
                "prompt",
                "Prompt",
                hint=f"Ends with {_named(after)}, as in training." if after else "",
                needed=True,
                example=self._example,
            ),
            Field(
                "completion",
                "Answer",
                hint="Left empty, the adapter writes it."
                + (f" Begins with {_named(before)}." if before else ""),
            ),
            Field("tokens", most, Entry.WHOLE, value=MOST_TOKENS),
        ]
        if self._system is not None:
            found.insert(0, Field("system", "System message", value=self._system))
        return tuple(found)

    def posed(self, given: Mapping[str, Any], folder: Path) -> Posed:
        """Put prompt and answer together."""
        del folder
        self._tell_edges(given)
        if "completion" in given:
            return Posed(self._row(given, given["completion"]))
        asked = given.get("tokens", MOST_TOKENS)
        most = int(number(asked, "tokens", least=1, whole=True))
        written = answer(self.model, *self._readable(given), max_new_tokens=most)
        return Posed(self._row(given, written), Said("The adapter wrote", written))

    def _tell_edges(self, given: Mapping[str, Any]) -> None:
        """Warn where white space is missing that every training row has."""
        after, before = self._edges
        completion = given.get("completion", before)
        for missing, edge, where in (
            (not given["prompt"].endswith(after), after, "prompt ends"),
            (not completion.startswith(before), before, "answer begins"),
        ):
            if missing:
                warnings.warn(
                    f"every training {where} with {_named(edge)}, and this one does "
                    "not: the adapter reads what it was never trained on.",
                    DatainfWarning,
                    stacklevel=4,
                )

    def _readable(self, given: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
        """Give a task and a row that tell the prompt from what follows it."""
        if self._talks:
            return self.task, self._row(given, _STAND_IN)
        pair = {"prompt": given["prompt"], "completion": _STAND_IN}
        return replace(self.task, columns={}), pair

    def _row(self, given: Mapping[str, Any], completion: str) -> dict[str, Any]:
        """Write a row in the shape of the training rows."""
        names, prompt = self.task.columns, given["prompt"]

        def column(name: str) -> str:
            return names.get(name, name)

        user = [*_said("system", given.get("system")), *_said("user", prompt)]
        assistant = _said("assistant", completion)
        if self._shape == "messages":
            return {column("messages"): [*user, *assistant]}
        if self._talks:
            return {column("prompt"): user, column("completion"): assistant}
        if self._shape == "prompt-completion" or not names:
            return {column("prompt"): prompt, column("completion"): completion}
        if self._shape == "text":
            return {column("text"): prompt + completion}
        pair = {"prompt": prompt, "completion": completion}
        found: Any = replace(self.task, columns={}).encode(pair)
        ids, labels = (
            (found.input_ids, found.labels)
            if isinstance(self.task, CausalLM)
            else found
        )
        return {column("input_ids"): list(ids), column("labels"): list(labels)}

    @cached_property
    def _edges(self) -> tuple[str, str]:
        """The white space after all prompts, and before all answers; mostly none."""
        if self._shape != "prompt-completion" or self._talks:
            return "", ""
        names = [self.task.columns.get(n, n) for n in ("prompt", "completion")]
        looked = range(min(_LOOKED_AT, len(self.dataset)))
        rows = [[self.dataset[i][name] for name in names] for i in looked]
        prompts, answers = zip(*rows, strict=True)
        return _shared([p[-1:] for p in prompts]), _shared([a[:1] for a in answers])

    @property
    def _example(self) -> str:
        """What the first training row asks."""
        talk = self._messages
        if talk is not None:
            return next((str(m["content"]) for m in talk if m["role"] == "user"), "")
        name = "text" if self._shape == "text" else "prompt"
        return str(self.first.get(self.task.columns.get(name, name), ""))

    @property
    def _shape(self) -> str:
        """The shape of the training rows."""
        shapes = SHAPES if isinstance(self.task, CausalLM) else PAIR_SHAPES
        return shape_of(self.first, self.task.columns, shapes)

    @property
    def _talks(self) -> bool:
        """Whether the training rows are conversations."""
        return self._messages is not None

    @property
    def _messages(self) -> Any:
        """What the first training row says before the answer, if it is one."""
        name = {"messages": "messages", "prompt-completion": "prompt"}.get(self._shape)
        value = None if name is None else self.first[self.task.columns.get(name, name)]
        return None if isinstance(value, str) else value

    @property
    def _system(self) -> str | None:
        """What the system says in the first training row."""
        first = (self._messages or [{}])[0]
        said = first.get("content") if first.get("role") == "system" else None
        return said if isinstance(said, str) else None


def _shared(edges: Sequence[str]) -> str:
    """Give the one white space that all have, if it is one."""
    different = set(edges)
    edge = different.pop() if len(different) == 1 else ""
    return edge if edge.isspace() else ""


def _named(edge: str) -> str:
    return _NAMES.get(edge, "white space")


def _said(role: str, content: str | None) -> list[dict[str, str]]:
    """Write a message, if there is one."""
    return [] if content is None else [{"role": role, "content": content}]
