"""Look at every example once, before the model works: lengths, hashes, texts, faults.

Everything that can be wrong with an example is found here, in seconds, and not hours
later. N examples.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from datainf.core.canonical import sha256_of
from datainf.core.encodable import encodable
from datainf.core.errors import DataError
from datainf.core.task import Example, Task
from datainf.integrations.fingerprint import hash_example
from datainf.integrations.tasks.outputs import DRAW
from datainf.workflows.progress import Reporter


@dataclass(frozen=True)
class Rows:
    """Examples that have been looked at.

    Attributes:
        dataset: The examples themselves, read by number when needed.
        table: One row an example: `index`, `hash`, `tokens` and, where kept, `text`.
        truncated: How many are longer than the task's limit and were cut.
    """

    dataset: Any
    table: pd.DataFrame
    truncated: int

    @property
    def lengths(self) -> list[int]:
        """Tokens of each example."""
        return [int(n) for n in self.table["tokens"]]

    @property
    def hashes(self) -> list[str]:
        """Hash of each example."""
        return list(self.table["hash"])

    @property
    def draws(self) -> int:
        """Rows of each example: more than one where several labels are drawn."""
        return self.dataset.count if isinstance(self.dataset, Draws) else 1

    def drawn(self, count: int) -> "Rows":
        """Make rows of draws: each example's follow each other, so the data can grow.

        Args:
            count: Draws of each example.

        Returns:
            Row i is draw i % count of example i // count, with a hash of its own.
        """
        hashes = self.hashes
        table = self.table.loc[self.table.index.repeat(count)].reset_index(drop=True)
        table["index"] = range(len(table))
        table["hash"] = [sha256_of([one, k]) for one in hashes for k in range(count)]
        return Rows(Draws(self.dataset, hashes, count), table, self.truncated)

    def name(self, number: int) -> str:
        """Name a row for people.

        Args:
            number: Its place.

        Returns:
            As in "example 3", or "example 3 (draw 1)" where each has several.
        """
        example, draw = divmod(number, self.draws)
        return f"example {example}" + (f" (draw {draw})" if self.draws > 1 else "")

    def read(self, numbers: Sequence[int]) -> list[Example]:
        """Read some examples.

        Args:
            numbers: Their places in the data.

        Returns:
            The examples, in that order.
        """
        return [self.dataset[i] for i in numbers]

    def probes(self) -> list[Example]:
        """Choose two short examples of different lengths (one, where all are alike)."""
        return self.read(self.probe_numbers())

    def probe_numbers(self, without: Collection[int] = ()) -> list[int]:
        """Tell which examples `probes` chooses.

        Args:
            without: Examples that cannot serve.

        Returns:
            Their places in the data; none where no example can serve.
        """
        lengths = self.lengths
        usable = [i for i in range(len(lengths)) if i not in without]
        order = sorted(usable, key=lambda i: (lengths[i], i))
        other = [i for i in order if lengths[i] != lengths[order[0]]] or order[1:]
        return [*order[:1], *other[:1]]


@dataclass(frozen=True)
class Draws:
    """Examples of which each stands for several rows, one a draw of its labels.

    Attributes:
        dataset: The examples.
        hashes: Of each.
        count: Draws of each.
    """

    dataset: Any
    hashes: Sequence[str]
    count: int

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.hashes) * self.count

    def __getitem__(self, number: int) -> Example:
        """Give a row: the example's columns, and which draw of it this is."""
        example, draw = divmod(number, self.count)
        return {**self.dataset[example], DRAW: (self.hashes[example], draw)}


def look_at(
    dataset: Any,
    task: Task,
    reporter: Reporter,
    *,
    text: bool,
    check: Callable[[Example], None] = lambda _: None,
) -> Rows:
    """Go through the examples once.

    Args:
        dataset: `datasets.Dataset`, list of dictionaries, or anything with a length
            that gives an example for a number.
        task: Says how long an example is and how it reads.
        reporter: Shows how far it is.
        text: Whether to keep each example's text.
        check: Refuses an example that the model cannot read, with a DataError.

    Returns:
        What was found.

    Raises:
        DataError: If there is no example, or one cannot be used; names it.
    """
    if not read_by_number(dataset):
        raise DataError(
            f"examples must have a length and be read by number, got a "
            f"{type(dataset).__name__}; make it a list or a datasets.Dataset."
        )
    if not len(dataset):
        raise DataError("the data hold no example; give at least one.")
    fit = getattr(task, "for_columns", None)
    columns = _columns(dataset)
    if fit is not None and columns:
        fit(columns)  # a missing column is told before anything is read
    table, cut = [], 0
    with reporter.stage("reading examples", len(dataset)) as advance:
        for index, example in numbered(dataset):
            row, truncated = _look(index, example, task, check, text=text)
            table.append(row)
            cut += truncated
            advance(1)
    return Rows(dataset, pd.DataFrame(table), cut)


def faults(dataset: Any, task: Task, check: Callable[[Example], None]) -> list[int]:
    """Find every example that `look_at` would refuse, which stops at the first.

    Args:
        dataset: The examples.
        task: Says how they are read.
        check: Refuses an example that the model cannot read.

    Returns:
        Their numbers.
    """
    wrong = []
    for index, example in numbered(dataset):
        try:
            _look(index, example, task, check, text=False)
        except DataError:
            wrong.append(index)
    return wrong


def read_by_number(data: Any) -> bool:
    """Tell rows from what only looks like them.

    Args:
        data: What came as examples.

    Returns:
        Whether a number gives a row: not so in one row by itself, a `DatasetDict` of
        several splits, a pandas table (a number names a column there), or a path.
    """
    indexed = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    return indexed and not isinstance(data, (Mapping, pd.DataFrame, str, bytes))


def numbered(dataset: Any) -> Iterator[tuple[int, Example]]:
    """Go through rows that are read by number.

    Args:
        dataset: The rows.

    Yields:
        Number and row.

    Raises:
        DataError: If one is no mapping of columns; names it.
    """
    for index in range(len(dataset)):
        example = dataset[index]
        if not hasattr(example, "keys"):
            raise DataError(
                f"example {index} is a {type(example).__name__}; expected a "
                "dictionary of columns."
            )
        yield index, example


def _columns(dataset: Any) -> list[str]:
    names = getattr(dataset, "column_names", None)
    if isinstance(names, list):
        return names
    first = dataset[0]
    return list(first) if isinstance(first, dict) else []


def _look(
    index: int,
    example: Example,
    task: Task,
    check: Callable[[Example], None],
    *,
    text: bool,
) -> tuple[dict[str, Any], bool]:
    """Describe one example; say which one it is when it is refused."""
    truncated, label_of = (getattr(task, n, None) for n in ("truncated", "label_of"))
    try:
        row: dict[str, Any] = {
            "index": index,
            "hash": hash_example(example, task),
            "tokens": task.length(example),
        }
        if text:
            row["text"] = encodable(task.describe(example))
        if label_of is not None:
            label_of(example)  # refuses what is no class
        cut = bool(truncated(example)) if truncated is not None else False
        check(example)
    except DataError as error:
        raise DataError(f"example {index}: {error}") from error
    return row, cut
