"""Token ids that the model has no row for are refused before it runs.

An embedding may have more rows than the tokenizer has tokens (padded to a round
number); with fewer, a token beyond them ends in an IndexError, on a GPU in a failed
kernel. Rows are only encoded once more where that can happen: where the tokenizer is
larger than the embedding, or a row brings its own ids.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from datainf.core.errors import AdapterError, DataError
from datainf.core.task import Example, Task
from datainf.integrations.tasks.tokens import IGNORED, pad_id

_ADVICE = "give the base and the tokenizer that the adapter was trained with"


def token_check(task: Task, model: nn.Module) -> Callable[[Example], None]:
    """Make the check that an example's tokens are the model's.

    Args:
        task: The task; only those that encode text with a tokenizer are checked.
        model: Its input embedding counts.

    Returns:
        A function that raises a DataError for an example with other tokens.

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
    tokens = ["input_ids"] if getattr(task, "heads", ()) else ["input_ids", "labels"]

    def check(example: Example) -> None:
        if covered and own not in example:
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
