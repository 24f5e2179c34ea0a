"""What doctor finds, and what it finds about rows: lengths, labels, copies, faults."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datainf.core.errors import DataError
from datainf.core.task import Example, Task
from datainf.workflows.progress import Reporter
from datainf.workflows.rows import Rows, faults, look_at

_SHOWN = 5
_CLASSES_SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What.
        state: `ok`, `note` (may matter) or `fix` (a run would fail).
        found: What was found and, unless it is fine, what to do.
    """

    check: str
    state: str
    found: str


def look_through(
    dataset: Any, task: Task, check: Callable[[Example], None], progress: Reporter
) -> Rows:
    """Look at the examples; where some cannot be used, count them all.

    Args:
        dataset: The examples.
        task: Says how they are read.
        check: Refuses an example that the model cannot read.
        progress: Told how far it is.

    Returns:
        What was found.

    Raises:
        DataError: If an example cannot be used; tells of the first, and which others.
    """
    try:
        return look_at(dataset, task, progress, text=True, check=check)
    except DataError as error:
        wrong = faults(dataset, task, check)
        if not 1 < len(wrong) < len(dataset):  # otherwise one message says it all
            raise
        raise DataError(
            f"{len(wrong)} of {len(dataset)} examples cannot be used: "
            f"{_listed(wrong)}; the first is {error}"
        ) from error


def row_findings(rows: Rows, task: Task) -> Iterator[Finding]:
    """Tell what examples are like that can all be used.

    Args:
        rows: The examples, looked at.
        task: Says how they are read.

    Yields:
        One finding a matter.
    """
    shortest, longest, cut = min(rows.lengths), max(rows.lengths), rows.truncated
    yield Finding(
        "examples",
        "note" if cut else "ok",
        f"{len(rows.table)}, of {shortest} to {longest} tokens"
        + (f"; {cut} are cut at max_length: raise it if training did" if cut else ""),
    )
    copies = [i for i, again in enumerate(rows.table["hash"].duplicated()) if again]
    if copies:
        yield Finding(
            "copies",
            "note",
            f"{len(copies)} examples are the same as an earlier one: "
            f"{_listed(copies)}; copies share the influence that one would have, keep "
            "one of each",
        )
    label_of: Any = getattr(task, "label_of", None)
    if label_of is not None:
        yield from _labels([label_of(row) for row in rows.dataset], task)


def _labels(labels: Sequence[Any], task: Task) -> Iterator[Finding]:
    """Count the classes."""
    if any(isinstance(label, float) for label in labels):
        yield Finding("labels", "ok", f"from {min(labels):g} to {max(labels):g}")
        return
    counts = Counter(_classes(labels, several=getattr(task, "problem", None)))
    known: Sequence[str] | None = getattr(task, "labels", None)
    total = getattr(task, "num_labels", None) or max(counts, default=-1) + 1

    def name(number: int) -> str:
        return str(known[number] if known else number)

    shown = [f"{name(c)} × {counts[c]}" for c in range(min(total, _CLASSES_SHOWN))]
    more = ", ..." if total > _CLASSES_SHOWN else ""
    none = [name(c) for c in range(total) if not counts[c]]
    yield Finding(
        "labels",
        "note" if none else "ok",
        f"{total} classes: {', '.join(shown)}{more}"
        + (
            f"; no example of {', '.join(none[:_SHOWN])}: are these the data that the "
            "adapter was trained on, and is the label column right?"
            if none
            else ""
        ),
    )


def _classes(labels: Sequence[Any], *, several: object) -> Iterator[int]:
    """Give every class of every example: one, those marked, or one a word."""
    for label in labels:
        if not isinstance(label, tuple):
            yield label
        elif several is not None:
            yield from (c for c, on in enumerate(label) if on)
        else:
            yield from (c for c in label if c >= 0)


def _listed(numbers: Sequence[int]) -> str:
    more = ", ..." if len(numbers) > _SHOWN else ""
    return ", ".join(map(str, numbers[:_SHOWN])) + more
