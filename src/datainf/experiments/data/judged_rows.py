"""Rows on which scores are judged by retraining: few and short, the first of a file.

Classifiers read sentences of SST-2 or pairs of MRPC; the demo's language model reads
the ten sentence transformations, or the last step of what people wrote about sums
(GSM8K), in as many characters as it can hold; the small pipeline draws three styles.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from datainf.core.errors import DataError
from datainf.experiments.data.picture_tasks import picture_rows
from datainf.experiments.data.pictures import SIDE
from datainf.experiments.data.sentence_transformations import sentence_transformations
from datainf.experiments.data.study_rows import HELD_OUT, TRAINING, rows_of

Row = dict[str, Any]
Rows = Callable[[str | None, int, int], "JudgedRows"]
"""From the folder of the data and two numbers of rows to the rows."""

CHARACTERS = 120
"""Of a prompt and its completion; the demo's model holds 128, marks included."""
_CLASSES = 10


@dataclass(frozen=True)
class JudgedRows:
    """Training rows and queries.

    Attributes:
        train: The rows whose influence is judged.
        queries: The rows whose losses are foretold.
        task: Settings of their task.
    """

    train: list[Row]
    queries: list[Row]
    task: Mapping[str, Any]


def short_texts(name: str, words: int) -> Rows:
    """Take the first rows of a data set of texts with labels.

    Args:
        name: Of `study_rows.SOURCES`.
        words: Longer rows are left out; words of all texts together.

    Returns:
        What makes the rows.
    """

    def made(data_dir: str | None, rows: int, queries: int) -> JudgedRows:
        def short(row: Row) -> Row | None:
            texts = (v for v in row.values() if isinstance(v, str))
            return row if sum(len(text.split()) for text in texts) <= words else None

        task = {"name": "sequence-classification", "num_labels": 2, "max_length": 64}
        return _first(name, data_dir, (rows, queries), short, task)

    return made


def sums(data_dir: str | None, rows: int, queries: int) -> JudgedRows:
    """Take short questions of GSM8K, each with the last step of its answer.

    Args:
        data_dir: Folder that holds `gsm8k`; the hub when None.
        rows: Training rows.
        queries: Queries.

    Returns:
        The rows.
    """

    def asked(row: Row) -> Row | None:
        # The story is too long: what is asked stands in its last sentence, and the
        # last step of the answer, before the line with the number alone, answers it.
        question = row["question"].strip().replace("! ", ". ").split(". ")[-1]
        steps = row["answer"].split("\n")
        prompt, completion = question + "\n", steps[max(0, len(steps) - 2)]
        if len(prompt) + len(completion) > CHARACTERS:
            return None
        return {"prompt": prompt, "completion": completion}

    return _first("gsm8k", data_dir, (rows, queries), asked, {"name": "causal-lm"})


def transformations(data_dir: str | None, rows: int, queries: int) -> JudgedRows:
    """Draw sentence transformations in the wording that all classes share.

    Args:
        data_dir: Not needed.
        rows: Training rows, ten classes of equal size.
        queries: Queries, likewise.

    Returns:
        The rows.
    """
    del data_dir
    train, held_out = sentence_transformations(
        max(1, rows // _CLASSES), max(1, queries // _CLASSES), seed=0, wording="shared"
    )
    texts = ("prompt", "completion")
    train, held_out = (
        [{key: row[key] for key in texts} for row in part] for part in (train, held_out)
    )
    return JudgedRows(train, held_out, {"name": "causal-lm"})


def styles(data_dir: str | None, rows: int, queries: int) -> JudgedRows:
    """Draw pictures in three styles.

    Args:
        data_dir: Not needed.
        rows: Training rows, of three styles in turns.
        queries: Queries, likewise.

    Returns:
        The rows.
    """
    train, held_out = picture_rows(
        "styles", rows=rows, held_out=queries, seed=0, data_dir=data_dir
    )
    task = {"name": "text-to-image", "resolution": SIDE, "timesteps": 20}
    return JudgedRows(train, held_out, task)


def _first(
    name: str,
    data_dir: str | None,
    counts: tuple[int, int],
    choose: Callable[[Row], Row | None],
    task: Mapping[str, Any],
) -> JudgedRows:
    """Take the first rows of each split that are chosen."""
    parts = []
    for splits, count in zip((TRAINING, HELD_OUT), counts, strict=True):
        found = rows_of(name, data_dir, splits)
        chosen = list(islice(_chosen(found, choose), count))
        if len(chosen) < count:
            raise DataError(
                f"{name} has {len(chosen)} rows that are short enough, "
                f"{count} are needed; give other data."
            )
        parts.append(chosen)
    return JudgedRows(parts[0], parts[1], task)


def _chosen(rows: Any, choose: Callable[[Row], Row | None]) -> Iterator[Row]:
    return (row for row in map(choose, map(dict, rows)) if row is not None)
