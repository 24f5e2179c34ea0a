"""The shapes of a language-model row, and reading rows that are already tokenised.

    tokens              input_ids, with labels, completion_mask or assistant_masks
    messages            a conversation
    prompt-completion   two texts, or two lists of messages
    text                one text

as the TRL library documents them. A row that fits more than one is refused: only the
user knows which one the adapter was trained on. Packed rows (several documents in one)
are refused: their loss is not that of one example.
"""

import difflib
import itertools
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from datainf.core.errors import DataError, OptionError, near
from datainf.core.task import Example
from datainf.integrations.tasks.tokens import IGNORED, brief, require_column

SHAPES: Mapping[str, tuple[str, ...]] = {
    "tokens": ("input_ids",),
    "messages": ("messages",),
    "prompt-completion": ("prompt", "completion"),
    "text": ("text",),
}
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "tokens": ("labels", "completion_mask", "assistant_masks"),
    "messages": ("tools",),
    "prompt-completion": ("tools",),
    "text": (),
}
COLUMN_NAMES = tuple(dict.fromkeys(sum((*SHAPES.values(), *_EXTRAS.values()), ())))
"""Names that `columns=` may map to the data's own."""
PAIR_SHAPES: Mapping[str, tuple[str, ...]] = {
    "tokens": ("input_ids", "labels"),
    "prompt-completion": ("prompt", "completion"),
}
"""The shapes of a row for a model with an encoder and a decoder."""

_MASKS = ("completion_mask", "assistant_masks")
_LENGTHS = ("seq_lengths", "cu_seq_lens_q")
_DOCUMENTS = ("document_ids", "seq_idx")


def check_names(
    columns: Mapping[str, str], known: Sequence[str] = COLUMN_NAMES
) -> None:
    """Refuse a mapping of columns that names nothing we read.

    Args:
        columns: Our name -> the data's column.
        known: The names that are read.

    Raises:
        OptionError: If a name of ours is unknown.
    """
    for name in columns:
        if name not in known:
            raise OptionError(f"columns={name!r} is unknown: {near(name, known)}.")


# What data sets often call a column, for the mapping that a message shows.
_OFTEN: Mapping[str, tuple[str, ...]] = {
    "prompt": ("question", "instruction", "query", "input", "source"),
    "completion": ("answer", "output", "response", "target", "summary"),
    "messages": ("conversations", "conversation", "dialog"),
}


def shape_of(
    present: Mapping[str, Any],
    columns: Mapping[str, str],
    shapes: Mapping[str, tuple[str, ...]] = SHAPES,
) -> str:
    """Tell which shape a row has.

    Args:
        present: The row, or anything keyed by its columns.
        columns: Our name -> the data's column, for those that differ. Shapes that do
            not use all of these names are left aside.
        shapes: The shapes there are.

    Returns:
        A key of `shapes`.

    Raises:
        DataError: If no shape fits, or more than one.
    """
    fitting = [
        shape
        for shape, names in shapes.items()
        if all(columns.get(name, name) in present for name in names)
        and set(columns) <= {*names, *_EXTRAS[shape]}
    ]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(present)
    if fitting:
        name = shapes[fitting[-1]][0]
        raise DataError(
            f"the columns {listed} can be read as {' or as '.join(fitting)}; say which "
            f"was trained on with columns=, such as columns={{{name!r}: {name!r}}}."
        )
    wanted = {columns.get(name, name) for names in shapes.values() for name in names}
    expected = [" and ".join(names) for names in reversed([*shapes.values()])]
    close = [
        f"Did you mean {match[0]!r} for {name!r}? "
        for name in sorted(wanted - set(present))
        if (match := difflib.get_close_matches(name, list(present), n=1))
        and match[0] not in wanted
        and match[0] not in itertools.chain.from_iterable(_OFTEN.values())
    ]
    maps = _likely(present, wanted)
    flags = " ".join(f"--column {ours}={theirs}" for ours, theirs in maps.items())
    raise DataError(
        f"no example can be read from the columns {listed}: expected "
        f"{', '.join(expected[:-1])}, or {expected[-1]}. {''.join(close)}Map other "
        f"names with columns=, such as columns={maps} ({flags})."
    )


def _likely(present: Mapping[str, Any], wanted: set[str]) -> dict[str, str]:
    """Give the mapping of names that a message shows: by the columns there are."""
    maps = {
        ours: next((name for name in names if name in present), names[0])
        for ours, names in _OFTEN.items()
        if ours in wanted
    }
    talks = maps.pop("messages", "")
    return {"messages": talks} if talks in present else maps


def tokens_alone(rows: Any) -> Any:
    """Leave out the texts that stand beside tokens.

    A Trainer trains on the tokens. What TRL's `SFTTrainer` leaves in the other columns
    is not even the text that it was given: it ends with EOS.

    Args:
        rows: A dataset, as a Trainer has prepared it.

    Returns:
        The same rows, with one shape if they hold `input_ids`; others as they are.
    """
    there = getattr(rows, "column_names", None) or ()
    texts = {n for shape, names in SHAPES.items() if shape != "tokens" for n in names}
    beside = [name for name in there if name in texts]
    return rows.remove_columns(beside) if "input_ids" in there and beside else rows


def read_tokens(
    example: Example, columns: Mapping[str, str]
) -> tuple[list[int], list[int]]:
    """Read a row that is already tokenised.

    Args:
        example: The row: `input_ids`, and `labels` or masks where it has them. Padding
            at either end, marked by `attention_mask`, is taken off.
        columns: Our name -> the data's column.

    Returns:
        Ids, and labels with -100 wherever labels or a mask leave a token out.

    Raises:
        DataError: If the row is packed, its lists differ in length, or a label is
            neither -100 nor the number of a token.
    """
    _refuse_packed(example)
    ids = _integers(example, columns.get("input_ids", "input_ids"))
    lists = {"input_ids": ids, "labels": list(ids)}
    for name in ("labels", *_MASKS, "attention_mask"):
        column = columns.get(name, name)
        if example.get(column) is not None:
            lists[name] = _integers(example, column)
    for name, values in lists.items():
        if len(values) != len(ids):
            raise DataError(
                f"{name} holds {len(values)} numbers and input_ids {len(ids)} in the "
                f"row {brief(example)}; give one number for each token."
            )
    labels = [
        label if all(kept) else IGNORED
        for label, *kept in zip(
            lists["labels"],
            *(lists[name] for name in _MASKS if name in lists),
            strict=True,
        )
    ]
    kept = _unpadded(lists.get("attention_mask", [1] * len(ids)), example)
    if example.get(columns.get("labels", "labels")) is not None:
        _require_labels(labels[kept], example)
    return ids[kept], labels[kept]


def read_token_pair(
    example: Example, columns: Mapping[str, str]
) -> tuple[list[int], list[int]]:
    """Read a row that is already tokenised, of two texts.

    Args:
        example: The row: `input_ids` of the source and `labels` of the target. Padding
            is taken off: marked by `attention_mask`, and -100 at the labels' end.
        columns: Our name -> the data's column.

    Returns:
        Ids of the source, and labels of the target.

    Raises:
        DataError: If the row is packed, its mask has another length, or a label is
            neither -100 nor the number of a token.
    """
    _refuse_packed(example)
    ids = _integers(example, columns.get("input_ids", "input_ids"))
    labels = _integers(example, columns.get("labels", "labels"))
    mask = [1] * len(ids)
    if example.get("attention_mask") is not None:
        mask = _integers(example, "attention_mask")
    if len(mask) != len(ids):
        raise DataError(
            f"attention_mask holds {len(mask)} numbers and input_ids {len(ids)} in the "
            f"row {brief(example)}; give one number for each token."
        )
    while labels and labels[-1] == IGNORED:
        labels = labels[:-1]
    _require_labels(labels, example)
    return ids[_unpadded(mask, example)], labels


def _require_labels(labels: Sequence[int], example: Example) -> None:
    # Which numbers are tokens the model says: see `vocabulary.token_check`.
    for label in labels:
        if label < 0 and label != IGNORED:
            raise DataError(
                f"label {label} is neither a token nor {IGNORED} in the row "
                f"{brief(example)}; write {IGNORED} where nothing is learned."
            )


def _unpadded(mask: Sequence[int], example: Example) -> slice:
    """Find the tokens between padding at the ends."""
    if 1 not in mask:
        raise DataError(
            f"the row {brief(example)} holds no token; fill it or take it out."
        )
    first, last = mask.index(1), len(mask) - mask[::-1].index(1)
    if 0 in mask[first:last]:
        raise DataError(
            f"attention_mask has a gap in the row {brief(example)}; only padding at "
            "the ends can be taken off."
        )
    return slice(first, last)


def _integers(example: Example, column: str) -> list[int]:
    """Read a list of whole numbers, from a list, an array or a tensor."""
    value = require_column(example, column)
    try:
        found = [int(item) for item in value]
        whole = all(int(b) == b for b in value) and not isinstance(value, (str, bytes))
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise DataError(
            f"column {column!r} must hold one list of whole numbers in the row "
            f"{brief(example)}."
        )
    return found


def _refuse_packed(example: Example) -> None:
    """Refuse a row that holds several documents."""
    found = [
        name
        for name in _LENGTHS
        if example.get(name) is not None
        and len(example[name]) > (1 if name == "seq_lengths" else 2)
    ]
    found += [
        name
        for name in _DOCUMENTS
        if example.get(name) is not None and len(set(_integers(example, name))) > 1
    ]
    if example.get("position_ids") is not None:
        positions = _integers(example, "position_ids")
        if example.get("attention_mask") is not None:
            mask = _integers(example, "attention_mask")
            positions = [p for p, kept in zip(positions, mask, strict=False) if kept]
        if any(b <= a for a, b in pairwise(positions)):
            found.append("position_ids")
    if found:
        raise DataError(
            f"the row {brief(example)} is packed: {found[0]} shows several documents "
            "in it; give the documents as rows of their own, as before packing."
        )
