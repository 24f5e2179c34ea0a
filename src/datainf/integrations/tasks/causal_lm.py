"""CausalLM: the loss of a text, of a completion, or of the assistant's turns.

    loss = mean (or sum) over label tokens t of  -log p(token t | tokens before t)

one number an example, in float32, or float64 when the logits are. Prompt and padding
enter no loss. Every choice that must match training is a field, and stands in
`settings()`:

- `text`: the tokenizer's own special tokens around it, then EOS (`append_eos`);
- `prompt` and `completion`: leading special tokens + prompt + completion + trailing
  ones + EOS; nothing is put between the two. With `border="separate"` prompt and
  completion are tokenised by themselves, with `"joint"` as one text whose first tokens,
  as many as the prompt alone has, are the prompt's (as TRL does);
- conversations: what the chat template writes, and no EOS of ours;
- rows already tokenised: as they are.

B examples of one batch, T tokens of its longest, V words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.core.options import Reduction, described, word
from datainf.core.task import Batch, Example
from datainf.integrations.prompts import ignores_positions
from datainf.integrations.tasks.by_token import ByToken
from datainf.integrations.tasks.chat import Chat, checked_messages, read_tools
from datainf.integrations.tasks.predictions import Categorical
from datainf.integrations.tasks.rows import (
    SHAPES,
    check_names,
    read_tokens,
    shape_of,
)
from datainf.integrations.tasks.tokens import (
    IGNORED,
    brief,
    pad_id,
    pad_rows,
    require_column,
    require_short,
    require_text,
    shorten,
    token_limit,
    tokenizer_fingerprint,
)

_DEFAULT_LIMIT = 1024


class Border(StrEnum):
    """How the border between prompt and completion is tokenised."""

    SEPARATE = "separate"
    """Each text by itself: no token crosses the border."""
    JOINT = "joint"
    """As one text; as many tokens as the prompt alone has are the prompt's."""


class Truncation(StrEnum):
    """What happens to an example longer than `max_length`."""

    RIGHT = "right"
    """Its end is cut."""
    LEFT = "left"
    """Its beginning is cut."""
    REFUSE = "refuse"
    """It is an error."""


class Turns(StrEnum):
    """Which turns of a conversation are learned."""

    ALL = "all"
    """Every turn of the assistant."""
    LAST = "last"
    """Only the assistant's last turn."""


@dataclass(frozen=True)
class Encoded:
    """One example as tokens.

    Attributes:
        input_ids: The tokens.
        labels: The same numbers, -100 where a token enters no loss.
        truncated: Whether something was cut.
    """

    input_ids: list[int]
    labels: list[int]
    truncated: bool


@dataclass(frozen=True)
class CausalLM(ByToken):
    """Next-token prediction. Each field's `help` says what it does.

    Attributes:
        tokenizer: The tokenizer the adapter was trained with.

    Examples:
        >>> task = CausalLM(tokenizer, append_eos=False)             # doctest: +SKIP
        >>> task.describe({"prompt": "2 + 2 = ", "completion": "4"})  # doctest: +SKIP
        '2 + 2 =  → 4'
    """

    name: ClassVar[str] = "causal-lm"
    task_type: ClassVar[str] = "CAUSAL_LM"
    model_class: ClassVar[str] = "AutoModelForCausalLM"
    main_input: ClassVar[str] = "input_ids"
    heads: ClassVar[tuple[str, ...]] = ()

    tokenizer: PreTrainedTokenizerBase
    columns: Mapping[str, str] = described(
        {}, "Names of the data's columns, where they differ: {prompt: question}."
    )
    max_length: int | None = described(
        None, "Most tokens of an example; the tokenizer's own limit, or else 1024."
    )
    truncation: Truncation | str = described(
        Truncation.RIGHT, "Where longer examples are cut: right, left, or refuse them."
    )
    append_eos: bool = described(
        True, "End texts and completions with the end-of-sequence token."
    )
    add_special_tokens: bool = described(
        True, "Put the tokenizer's own special tokens (such as BOS) around texts."
    )
    border: Border | str = described(
        Border.SEPARATE,
        "Tokenise prompt and completion separate, or joint as TRL does.",
    )
    mask_prompt: bool = described(
        True, "Leave prompts, and turns that are not the assistant's, out of the loss."
    )
    turns: Turns | str = described(
        Turns.ALL, "Turns of the assistant that are learned: all, or the last."
    )
    chat_template: str | None = described(
        None, "Chat template (Jinja), where not the tokenizer's own."
    )
    template_kwargs: Mapping[str, Any] = described(
        {}, "Further arguments of the chat template, such as enable_thinking."
    )
    reduction: Reduction | str = described(
        Reduction.MEAN, "An example's loss: mean over its label tokens, or their sum."
    )
    padding_side: str | None = described(
        None, "Side on which batches are padded, right or left; the tokenizer's own."
    )

    def __post_init__(self) -> None:
        """Check and settle the options.

        Raises:
            OptionError: If one is unknown or cannot be met by the tokenizer.
        """
        settle = object.__setattr__
        settle(self, "truncation", word(Truncation, self.truncation, "truncation"))
        settle(self, "border", word(Border, self.border, "border"))
        settle(self, "turns", word(Turns, self.turns, "turns"))
        settle(self, "reduction", word(Reduction, self.reduction, "reduction"))
        limit = token_limit(self.tokenizer, self.max_length, _DEFAULT_LIMIT)
        settle(self, "max_length", limit)
        side = self.padding_side or self.tokenizer.padding_side
        settle(self, "padding_side", side)
        check_names(self.columns)
        if side not in ("left", "right"):
            raise OptionError(f"padding_side must be left or right, got {side!r}.")
        if self.append_eos and self.tokenizer.eos_token_id is None:
            raise OptionError(
                "append_eos=True, but the tokenizer has no eos_token; pass "
                "append_eos=False, or set tokenizer.eos_token as in training."
            )

    def for_columns(self, columns: Sequence[str]) -> "CausalLM":
        """Fix which columns are read, for data with these.

        Args:
            columns: The data's column names.

        Returns:
            A task that names its columns; a DataError comes if they fit no shape.
        """
        names = SHAPES[shape_of(dict.fromkeys(columns), self.columns)]
        fixed = {name: self.columns.get(name, name) for name in names}
        return replace(self, columns={**fixed, **self.columns})

    def encode(self, example: Example) -> Encoded:
        """Turn an example into tokens and labels.

        Args:
            example: A row of any of the shapes.

        Returns:
            Its tokens after truncation.

        Raises:
            DataError: If the row cannot be read, is too long and `truncation` refuses
                that, or is left without a token to learn from.
        """
        shape = shape_of(example, self.columns)
        if shape == "tokens":
            ids, labels = read_tokens(example, self.columns)
        else:
            ids, mask = self._tokenized(example, shape)
            kept = mask if self.mask_prompt else [True] * len(ids)
            labels = [i if k else IGNORED for i, k in zip(ids, kept, strict=True)]
        limit, long = self._limit, len(ids) > self._limit
        if self.truncation is Truncation.REFUSE:
            require_short(len(ids), limit, example)
        cut = (
            slice(-limit, None) if self.truncation is Truncation.LEFT else slice(limit)
        )
        # Nothing stands before the first token; left padding would seem to predict it.
        ids, labels = ids[cut], [IGNORED, *labels[cut][1:]]
        if all(label == IGNORED for label in labels):
            after = f" after cutting it to max_length={limit}" if long else ""
            raise DataError(
                f"no token to learn from in the row {brief(example)}: all are "
                f"masked{after}; give it a completion, raise max_length, or take the "
                "row out."
            )
        return Encoded(ids, labels, truncated=long)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Tokenise and pad examples; positions are given where the left is padded."""
        encoded = [self.encode(example) for example in examples]
        side = str(self.padding_side)
        rows = [row.input_ids for row in encoded]
        mask = pad_rows([[1] * len(row) for row in rows], 0, side)
        batch = {
            "input_ids": pad_rows(rows, pad_id(self.tokenizer), side),
            "attention_mask": mask,
            "labels": pad_rows([row.labels for row in encoded], IGNORED, side),
        }
        if side == "left" and not bool(mask.all()):
            batch["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)
        return batch

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute every example's loss."""
        return self.predictions(model, batch).losses()

    def predictions(self, model: nn.Module, batch: Batch) -> Categorical:
        """Run the model: what it says of every label token, given those before it.

        Args:
            model: Gives `logits [B, T, V]`.
            batch: What `collate` made.

        Returns:
            A distribution over the words for each label token.

        Raises:
            AdapterError: If the model gives no logits for every token.
            TypeError: If the model refuses its inputs for another reason.
        """
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        labels = batch["labels"]
        if ignores_positions(model):
            inputs.pop("position_ids", None)
        try:
            logits = model(**inputs, use_cache=False).logits
        except TypeError as error:  # a classifier of transformers 4 knows no cache
            if "use_cache" not in str(error):
                raise
            kind = type(model).__name__
            raise AdapterError(
                f"causal-lm needs a causal language model, got a {kind}."
            ) from error
        if logits.ndim != 3 or logits.shape[1] < labels.shape[1]:
            raise AdapterError(
                f"causal-lm needs logits [B, T, V] for labels {list(labels.shape)}, "
                f"the model gives {list(logits.shape)}; is it a causal language model?"
            )
        # Soft prompts put positions first; the logits at t predict the token at t + 1.
        logits = logits[:, -labels.shape[1] : -1]
        return Categorical(logits, labels[:, 1:], self.reduction)

    def describe(self, example: Example) -> str:
        """Write the row's text; an arrow stands before the completion."""
        shape = shape_of(example, self.columns)
        if shape == "tokens":
            ids, labels = read_tokens(example, self.columns)
            split = next((i for i, x in enumerate(labels) if x != IGNORED), len(ids))
            parts = [self.tokenizer.decode(part) for part in (ids[:split], ids[split:])]
        else:
            parts = [
                _plain(example, self.columns.get(name, name)) for name in SHAPES[shape]
            ]
        return " → ".join(shorten(part, 2000) for part in parts if part)

    def length(self, example: Example) -> int:
        """Count the example's tokens after truncation."""
        return len(self.encode(example).input_ids)

    def truncated(self, example: Example) -> bool:
        """Say whether the example is cut."""
        return self.encode(example).truncated

    def settings(self) -> dict[str, Any]:
        """Give every choice that changes a loss, as JSON values."""
        return {
            "name": self.name,
            "columns": dict(self.columns),
            "max_length": self.max_length,
            "truncation": str(self.truncation),
            "append_eos": self.append_eos,
            "add_special_tokens": self.add_special_tokens,
            "border": str(self.border),
            "mask_prompt": self.mask_prompt,
            "turns": str(self.turns),
            "chat_template": self.chat_template,
            "template_kwargs": dict(self.template_kwargs),
            "reduction": str(self.reduction),
            "padding_side": self.padding_side,
            "tokenizer": tokenizer_fingerprint(self.tokenizer),
        }

    @property
    def _limit(self) -> int:
        return token_limit(self.tokenizer, self.max_length, _DEFAULT_LIMIT)

    @cached_property
    def _around(self) -> tuple[list[int], list[int]]:
        """Special tokens that the tokenizer puts before and after a text."""
        if not self.add_special_tokens:
            return [], []
        bare, whole = self._ids("a"), list(self.tokenizer("a")["input_ids"])
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return whole[:start], whole[start + len(bare) :]
        raise OptionError(
            "the tokenizer's special tokens cannot be told from a text's own; pass "
            "add_special_tokens=False, or give rows with input_ids and labels."
        )

    def _ids(self, text: str) -> list[int]:
        return list(
            self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        )

    def _tokenized(self, example: Example, shape: str) -> tuple[list[int], list[bool]]:
        """Give ids and, for each, whether it is learned."""
        names = [self.columns.get(name, name) for name in SHAPES[shape]]
        if shape == "messages":
            messages = checked_messages(require_column(example, names[0]), names[0])
            last = self.turns is Turns.LAST
            return self._chat(example).assistant_turns(messages, last=last)
        if shape == "prompt-completion" and isinstance(
            require_column(example, names[0]), (list, tuple)
        ):
            prompt, completion = (
                checked_messages(require_column(example, name), name) for name in names
            )
            spoken = any(message["role"] == "assistant" for message in completion)
            if self.turns is Turns.LAST and spoken:
                both = [*prompt, *completion]
                return self._chat(example).assistant_turns(both, last=True)
            return self._chat(example).completion(prompt, completion)
        texts = [require_text(example, name) for name in names]
        lead, tail = self._around
        before = 0 if shape == "text" else len(self._ids(texts[0]))
        if self.border is Border.JOINT:
            body = self._ids("".join(texts))
        else:
            body = [i for text in texts for i in self._ids(text)]
        ids = [*lead, *body, *tail]
        if self.append_eos and ids[-1:] != [self.tokenizer.eos_token_id]:
            ids.append(int(self.tokenizer.eos_token_id))
        masked = len(lead) + before if shape != "text" else 0
        return ids, [i >= masked for i in range(len(ids))]

    def _chat(self, example: Example) -> Chat:
        options = dict(self.template_kwargs)
        tools = example.get(self.columns.get("tools", "tools"))
        if tools is not None:
            options["tools"] = read_tools(tools)
        options.update(example.get("chat_template_kwargs") or {})
        return Chat(self.tokenizer, self.chat_template, options)


def _plain(example: Example, column: str) -> str:
    """Write a text, or a conversation with a line a message."""
    value = require_column(example, column)
    if not isinstance(value, (list, tuple)):
        return require_text(example, column)
    messages = checked_messages(value, column)
    return "\n".join(f"{m['role']}: {m.get('content', '')}" for m in messages)
