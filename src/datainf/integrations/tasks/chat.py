"""Conversations through a chat template: token ids, and which the assistant wrote.

A template that marks the assistant's words (`{% generation %}`) says so itself. For any
other, the text of turn i is what rendering one message more adds:

    render(messages[:i], with the generation prompt)  ->  where the turn begins
    render(messages[:i+1])                            ->  where it ends

Both must begin the rendering of the whole conversation; if they do not (some templates
rewrite earlier turns), that is an error and never a guess. Nothing can be rendered
before a conversation's first message; if the assistant wrote it, its turn begins where
two first messages of other words begin to differ, and after the generation prompt.
Every token that shares a character with the turn's text belongs to it, with the
end-of-turn mark and the white space that the template puts after it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from datainf.core.encodable import encodable
from datainf.core.errors import DataError, OptionError
from datainf.integrations.tasks.tokens import brief

Message = Mapping[str, Any]
_SPEAKERS = {"human": "user", "gpt": "assistant"}
_GENERATION = re.compile(r"\{%-?\s*generation\b")


@dataclass(frozen=True)
class Chat:
    """A tokenizer with its template and the arguments that go to every rendering.

    Attributes:
        tokenizer: Any fast tokenizer.
        template: Used instead of the tokenizer's own when given.
        options: Further arguments of `apply_chat_template`, such as `tools`.
    """

    tokenizer: PreTrainedTokenizerBase
    template: str | None
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Check that there is a template, and a tokenizer that can place characters.

        Raises:
            OptionError: If not.
        """
        if self.template is None and not self.tokenizer.chat_template:
            raise OptionError(
                "the tokenizer has no chat template; give the one the adapter was "
                "trained with as chat_template= (--task-option chat_template=...)."
            )
        if not self.tokenizer.is_fast:
            raise OptionError(
                "messages need a fast tokenizer, which knows the characters of its "
                "tokens; tokenise the rows yourself and give input_ids with labels."
            )

    def assistant_turns(
        self, messages: Sequence[Message], *, last: bool
    ) -> tuple[list[int], list[bool]]:
        """Tokenise a conversation and mark what the assistant wrote.

        Args:
            messages: The conversation.
            last: Mark only the last of the assistant's turns.

        Returns:
            Ids, and for each whether the assistant wrote it.

        Raises:
            DataError: If the assistant wrote nothing, or the template rewrites turns.
        """
        turns = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
        if not turns:
            raise DataError(
                f"no message of the assistant in {brief({'messages': messages})}; "
                "there is nothing to learn from it."
            )
        if _GENERATION.search(self._source()):
            return self._marked_by_template(messages, last=last)
        text = self.render(messages)
        spans = []
        for i in turns[-1:] if last else turns:
            start = (
                self.render(messages[:i], prompt=True) if i else self._opening(messages)
            )
            end = self.render(messages[: i + 1])
            if not (text.startswith(end) and end.startswith(start)):
                raise DataError(
                    f"the chat template writes message {i} differently inside of the "
                    f"whole conversation {brief({'messages': messages})}; use "
                    "turns='last', or a template with {% generation %} marks."
                )
            spans.append((len(start), len(end)))
        return self._tokenize(text, spans)

    def completion(
        self, prompt: Sequence[Message], completion: Sequence[Message]
    ) -> tuple[list[int], list[bool]]:
        """Tokenise a prompt and its completion and mark the completion.

        Args:
            prompt: Messages before.
            completion: Messages learned.

        Returns:
            Ids, and for each whether it belongs to the completion.

        Raises:
            DataError: If the template rewrites the prompt.
        """
        text = self.render([*prompt, *completion])
        start = self.render(prompt, prompt=True)
        if not text.startswith(start):
            raise DataError(
                "the chat template writes the prompt differently once the completion "
                f"follows: {brief({'prompt': prompt})}; tokenise the rows yourself and "
                "give input_ids with completion_mask."
            )
        return self._tokenize(text, [(len(start), len(text))])

    def render(self, messages: Sequence[Message], *, prompt: bool = False) -> str:
        """Write messages as the template does.

        Args:
            messages: Any number of messages.
            prompt: Whether to end with what asks the assistant to speak.

        Returns:
            The text.

        Raises:
            DataError: If the template refuses them.
        """
        try:
            return self.tokenizer.apply_chat_template(
                list(messages),
                chat_template=self.template,
                tokenize=False,
                add_generation_prompt=prompt,
                **self.options,
            )
        # A ValueError says that there is no message.
        except (TemplateError, TypeError, ValueError) as error:
            raise DataError(
                f"the chat template refuses {brief({'messages': messages})}: {error}"
            ) from error

    def _opening(self, messages: Sequence[Message]) -> str:
        """Write what stands before the words of an assistant that speaks first."""
        content = messages[0].get("content")
        parts = isinstance(content, (list, tuple))  # text among images has parts
        texts = [[{"type": "text", "text": x}] if parts else x for x in "ab"]
        said = [{"role": "assistant", "content": text} for text in texts]
        pairs = zip(*(self.render([message]) for message in said), strict=False)
        common = "".join(a for a, _ in takewhile(lambda pair: len({*pair}) == 1, pairs))
        asked = [{"role": "user", "content": texts[0]}]
        prompt = self.render(asked, prompt=True).removeprefix(self.render(asked))
        # Some templates put more before the words, such as an empty thought; in later
        # turns it is learned, since it follows the generation prompt.
        end = common.rfind(prompt)
        return common if end < 0 else common[: end + len(prompt)]

    def _source(self) -> str:
        if self.template is not None:
            return self.template
        return self.tokenizer.get_chat_template(tools=self.options.get("tools"))

    def _tokenize(
        self, text: str, spans: Sequence[tuple[int, int]]
    ) -> tuple[list[int], list[bool]]:
        # The template writes the special tokens itself.
        encoded = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        mask = [
            any(left < end and right > start for start, end in spans)
            for left, right in encoded["offset_mapping"]
        ]
        return list(encoded["input_ids"]), mask

    def _marked_by_template(
        self, messages: Sequence[Message], *, last: bool
    ) -> tuple[list[int], list[bool]]:
        try:
            encoded = self.tokenizer.apply_chat_template(
                list(messages),
                chat_template=self.template,
                tokenize=True,
                return_dict=True,
                return_assistant_tokens_mask=True,
                **self.options,
            )
        except (TemplateError, TypeError) as error:
            raise DataError(
                f"the chat template refuses {brief({'messages': messages})}: {error}"
            ) from error
        mask = [bool(kept) for kept in encoded["assistant_masks"]]
        if last and True in mask:
            end = len(mask) - mask[::-1].index(True)
            start = end - 1 - [*mask[:end][::-1], False].index(False) + 1
            mask = [start <= i < end for i in range(len(mask))]
            mask = self._without_turn_before(messages, encoded["input_ids"], mask)
        return list(encoded["input_ids"]), mask

    def _without_turn_before(
        self, messages: Sequence[Message], ids: Sequence[int], mask: list[bool]
    ) -> list[bool]:
        """Take a turn out that the assistant wrote just before its last one."""
        # The marks of the two may touch, and then look like those of one turn.
        i = max(i for i, m in enumerate(messages) if m["role"] == "assistant")
        if i == 0 or messages[i - 1]["role"] != "assistant":
            return mask
        text, before = self.render(messages), self.render(messages[:i])
        again, after = self._tokenize(text, [(len(before), len(text))])
        if not text.startswith(before) or again != list(ids):
            raise DataError(
                f"the last two turns of the assistant cannot be told apart in "
                f"{brief({'messages': messages})}: the chat template writes message "
                f"{i - 1} differently inside of the whole conversation; join the two, "
                "or use turns='all'."
            )
        return [a and b for a, b in zip(mask, after, strict=True)]


def read_tools(value: Any) -> Any:
    """Read a row's tools; TRL's tables keep the nested schemas as one JSON text.

    Args:
        value: What stands in the row.

    Returns:
        The tools.

    Raises:
        DataError: If a text is no JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise DataError(
            f"column 'tools' holds no valid JSON ({error}) in {brief({'tools': value})}"
            "; give a list of tools, or the JSON text of one."
        ) from error


def _as_role(message: Any) -> Any:
    """Give a message of ShareGPT's, `from` and `value`, as one of role and content."""
    if not isinstance(message, Mapping):
        return message
    held = {name: part for name, part in message.items() if part is not None}
    speaker = held.get("from")
    if held.keys() != {"from", "value"} or not isinstance(speaker, str):
        return message
    return {"role": _SPEAKERS.get(speaker, speaker), "content": held["value"]}


def checked_messages(value: Any, column: str) -> list[dict[str, Any]]:
    """Check that a value is a list of messages.

    Args:
        value: What stands in the row; messages of `from` and `value` (human, gpt), as
            ShareGPT has them, are read as role and content.
        column: Its column, for the message.

    Returns:
        The messages, without the empty fields that Arrow tables fill in; half a
        surrogate pair is U+FFFD in them.

    Raises:
        DataError: If it is none.
    """
    value = [_as_role(m) for m in value] if isinstance(value, (list, tuple)) else value
    good = isinstance(value, list) and all(
        isinstance(message, Mapping) and message.get("role") for message in value
    )
    if not (good and value):
        raise DataError(
            f"column {column!r} must hold a list of messages, each with role and "
            f"content, got {brief({column: value})}."
        )
    return [
        {name: encodable(part) for name, part in message.items() if part is not None}
        for message in value
    ]
