"""Tokens and positions that the model has no row for are refused before it runs.

An embedding may have more rows than the tokenizer has tokens (padded to a round
number); with fewer, a token beyond them ends in an IndexError, on a GPU in a failed
kernel; so does a text longer than a table of positions, where the model has one. Rows
are only encoded once more where that can happen: where the tokenizer is larger than the
embedding, the task's limit beyond the positions, or a row brings its own ids.
"""

import re
from collections.abc import Callable
from typing import Any

from torch import nn

from datainf.core.errors import AdapterError, DataError
from datainf.core.task import Example, Task
from datainf.integrations.tasks.tokens import IGNORED, pad_id

_ADVICE = "give the base and the tokenizer that the adapter was trained with"
# Tables of learned or fixed positions: BERT and its kin, GPT-2, BART and OPT.
_POSITIONS = re.compile(r"(^|\.)(position_embeddings?|embed_positions|wpe)$")


def token_check(task: Task, model: nn.Module) -> Callable[[Example], None]:
    """Make the check that an example's tokens, and as many, are the model's.

    Args:
        task: The task; only those that encode text with a tokenizer are checked.
        model: Its input embedding counts.

    Returns:
        A function that raises a DataError for an example with other or more tokens.

    Raises:
        AdapterError: If the token that fills batches is none of the model's.
    """
    tokenizer: Any = getattr(task, "tokenizer", None)
    count = _rows(model)
    if tokenizer is None or count is None:
        return lambda _: None
    known = f"none of the model's {count} (0 to {count - 1})"
    fill = pad_id(tokenizer)
    if fill >= count:
        raise AdapterError(
            f"token {fill}, with which the tokenizer fills batches, is {known}; "
            f"{_ADVICE}, or give the tokenizer a pad_token among them."
        )
    covered = max(tokenizer.get_vocab().values(), default=0) < count
    columns = getattr(task, "columns", {})
    own = columns.get("input_ids", "input_ids")
    most = _positions(model)
    limits = [getattr(task, name, 0) for name in ("max_length", "max_target_length")]
    fits = most is None or all(limit <= most for limit in limits)
    tokens = ["input_ids"] if getattr(task, "heads", ()) else ["input_ids", "labels"]

    def check(example: Example) -> None:
        if covered and fits and own not in example:
            return
        batch = task.collate([example])
        for name in tokens:
            ids = batch[name]
            known_ids = (ids >= 0) & (ids < count)
            if name == "labels":
                known_ids |= ids == IGNORED
            strange = ids[~known_ids]
            if len(strange):
                more = "" if covered else f"; the tokenizer has {len(tokenizer)}"
                raise DataError(
                    f"token {int(strange[0])} of {name} is {known}{more}; {_ADVICE}."
                )
            if most is not None and ids.shape[1] > most:
                raise DataError(
                    f"{ids.shape[1]} tokens of {name} are more than the model's {most} "
                    f"positions; lower the task's max_length to {most}."
                )

    return check


def _rows(model: nn.Module) -> int | None:
    """Count the rows of the input embedding, inside of whatever wraps it."""
    find = getattr(model, "get_input_embeddings", None)
    try:
        found = find() if callable(find) else None
    except (AttributeError, NotImplementedError):
        return None
    inner = found.modules() if isinstance(found, nn.Module) else ()
    return next((m.num_embeddings for m in inner if isinstance(m, nn.Embedding)), None)


def _positions(model: nn.Module) -> int | None:
    """Count the positions that a text can take; None where no table ends them."""
    counts = [
        # RoBERTa counts from its padding token on, BART and OPT keep an offset.
        table.num_embeddings
        - (getattr(table, "offset", 0) if skip is None else skip + 1)
        for path, table in model.named_modules()
        if isinstance(table, nn.Embedding) and _POSITIONS.search(path)
        for skip in [table.padding_idx]
    ]
    return min(counts, default=None)
