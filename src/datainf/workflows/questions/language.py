"""A prompt and its answer: language models, and models from text to text.

The row has the shape of the training rows: two texts, a conversation, one text, or
tokens. Left empty, the answer is what the adapter itself writes, by greedy decoding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datainf.core.options import number
from datainf.core.questions import Entry, Field, Said
from datainf.integrations.generation import MOST_TOKENS, answer
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.rows import PAIR_SHAPES, SHAPES, shape_of
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.workflows.questions.base import Posed, Question

_STAND_IN = "a"


@dataclass(frozen=True)
class LanguageQuestion(Question):
    """A prompt, and what follows it."""

    task: CausalLM | Seq2Seq

    @property
    def fields(self) -> tuple[Field, ...]:
        """Prompt, answer, and the system's words where the training rows have them."""
        open_hint = "Left empty, the adapter writes it."
        if not self._talks:
            open_hint += " Spaces where the two meet count."
        most = "Most tokens that the adapter writes"
        found = [
            Field("prompt", "Prompt", needed=True),
            Field("completion", "Answer", hint=open_hint),
            Field("tokens", most, Entry.WHOLE, value=MOST_TOKENS),
        ]
        if self._system is not None:
            found.insert(0, Field("system", "System message", value=self._system))
        return tuple(found)

    def posed(self, given: Mapping[str, Any], folder: Path) -> Posed:
        """Put prompt and answer together."""
        del folder
        if "completion" in given:
            return Posed(self._row(given, given["completion"]))
        asked = given.get("tokens", MOST_TOKENS)
        most = int(number(asked, "tokens", least=1, whole=True))
        written = answer(self.model, *self._readable(given), max_new_tokens=most)
        return Posed(self._row(given, written), Said("The adapter wrote", written))

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

        user = [
            *_said("system", given.get("system")),
            *_said("user", prompt),
        ]
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


def _said(role: str, content: str | None) -> list[dict[str, str]]:
    """Write a message, if there is one."""
    return [] if content is None else [{"role": role, "content": content}]
