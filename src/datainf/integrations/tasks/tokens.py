"""What the tasks share about tokens: padding, limits, the identity of a tokenizer.

B examples of one batch, T tokens of its longest, V words of the vocabulary.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from datainf.core.canonical import sha256_of
from datainf.core.encodable import encodable
from datainf.core.errors import DataError, OptionError, near

IGNORED = -100
"""The label of a position that enters no loss, as in transformers."""

# Tokenizers without a limit of their own carry a huge number instead.
_NO_LIMIT = 10**6
_PROBE = "The 3 quick\tFoxes don't jump,\n\u00e9t\u00e9 \u2013 \u732b <|x|>  end."
_SPECIAL = ("bos", "eos", "pad", "unk", "sep", "cls", "mask")


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Describe a tokenizer by what it does, not by where it lies.

    Args:
        tokenizer: Any tokenizer of transformers.

    Returns:
        JSON values: vocabulary size, special token ids, a hash of the chat template;
        whether special tokens in a text are split. For a fast tokenizer a hash of its
        whole backend (0.5 s for 100 000 tokens); a slow one shows no more than what it
        makes of one fixed text.
    """
    template = getattr(tokenizer, "chat_template", None)
    special = {name: getattr(tokenizer, f"{name}_token_id", None) for name in _SPECIAL}
    described = {
        "vocab_size": len(tokenizer),
        "special_ids": {name: i for name, i in special.items() if i is not None},
        "chat_template": None if template is None else sha256_of(template),
        "split_special_tokens": bool(getattr(tokenizer, "split_special_tokens", False)),
    }
    if tokenizer.is_fast:
        return {**described, "backend": _backend_hash(tokenizer)}
    return {**described, "probe": sha256_of(list(tokenizer(_PROBE)["input_ids"]))}


def _backend_hash(tokenizer: Any) -> str:
    """Hash all that a fast tokenizer does to a text."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    # What the last call asked for: any call with other arguments changes them.
    for name in ("truncation", "padding"):
        backend.pop(name, None)
    return sha256_of(backend)


def token_limit(
    tokenizer: PreTrainedTokenizerBase, max_length: int | None, default: int
) -> int:
    """Choose the most tokens an example may have.

    Args:
        tokenizer: Its `model_max_length` counts where it has a real one.
        max_length: What the user asked for; wins when given.
        default: Used when neither says anything.

    Returns:
        The limit.

    Raises:
        OptionError: If the user's limit is below 2.
    """
    if max_length is not None:
        if max_length < 2:
            raise OptionError(f"max_length must be at least 2, got {max_length}.")
        return max_length
    own = tokenizer.model_max_length
    return int(own) if own is not None and own < _NO_LIMIT else default


def pad_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Choose the id that fills a batch; the attention mask hides it.

    Args:
        tokenizer: Its padding token is used; without one its end-of-sequence token.

    Returns:
        The id, 0 when the tokenizer has neither.
    """
    for found in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if found is not None:
            return int(found)
    return 0


def pad_rows(
    rows: Sequence[Sequence[int]], fill: int, side: str = "right"
) -> Int[Tensor, "B T"]:
    """Put lists of unequal length into one tensor.

    Args:
        rows: B lists of integers.
        fill: What stands in the empty places.
        side: `right` or `left`: where the empty places are.

    Returns:
        One row a list, as wide as the longest.
    """
    out = torch.full((len(rows), max(map(len, rows))), fill, dtype=torch.long)
    for row, values in zip(out, rows, strict=True):
        if values:
            where = slice(-len(values), None) if side == "left" else slice(len(values))
            row[where] = torch.tensor(values, dtype=torch.long)
    return out


def at_least_float32(logits: Float[Tensor, "... V"]) -> Float[Tensor, "... V"]:
    """Raise half-precision logits to float32; leave wider ones as they are."""
    return logits if logits.dtype == torch.float64 else logits.float()


def require_short(
    count: int, limit: int, example: Mapping[str, Any], option: str = "max_length"
) -> None:
    """Refuse an example that is too long where nothing may be cut.

    Args:
        count: Its tokens.
        limit: The most that it may have.
        example: The row, for the message.
        option: The option that sets the limit.

    Raises:
        DataError: If it is too long.
    """
    if count > limit:
        raise DataError(
            f"{count} tokens are more than {option}={limit} in the row "
            f"{brief(example)}; raise {option}, or let truncation cut the row."
        )


def brief(example: Mapping[str, Any], width: int = 120) -> str:
    """Write a row for an error message, cut to a readable length.

    Args:
        example: The row.
        width: Most characters of the text.

    Returns:
        The row's Python text, its middle left out when it is long.
    """
    return shorten(repr(dict(example)), width)


def shorten(text: str, width: int) -> str:
    """Leave out the middle of a long text.

    Args:
        text: Any text.
        width: Most characters to return, at least 4.

    Returns:
        The text itself, or its beginning and end around `" … "`.

    Examples:
        >>> shorten("abcdefghijklmnop", 9)
        'abcd … op'
    """
    if len(text) <= width:
        return text
    end = (width - 3) // 3
    return f"{text[: width - 3 - end]} … {text[len(text) - end :]}"


def require_column(example: Mapping[str, Any], column: str) -> Any:
    """Give the value of a column.

    Args:
        example: The row.
        column: The column's name.

    Returns:
        What stands there.

    Raises:
        DataError: If the row has no such column, or nothing stands there.
    """
    if column not in example:
        raise DataError(f"column {column!r} is missing: {near(column, example)}.")
    if example[column] is None:
        raise DataError(
            f"column {column!r} is empty in the row {brief(example)}; "
            "fill it or take the row out."
        )
    return example[column]


def require_text(example: Mapping[str, Any], column: str) -> str:
    """Give the text of a column; whole numbers count as the text they are written as.

    Args:
        example: The row.
        column: The column's name.

    Returns:
        The text; half a surrogate pair, which no tokenizer takes, is U+FFFD in it.

    Raises:
        DataError: If something else stands there.
    """
    value = require_column(example, column)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise DataError(
            f"column {column!r} must hold text, got {type(value).__name__} "
            f"in the row {brief(example)}."
        )
    return str(encodable(value))


def source_hash(text: str) -> str:
    """Hash a text; used to tell two pieces of code apart."""
    return hashlib.sha256(text.encode()).hexdigest()
