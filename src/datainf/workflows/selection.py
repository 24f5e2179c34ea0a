"""Select: the training rows that help a target set most, as a data file with scores.

As LESS chooses instruction data (Xia et al., ICML 2024, arXiv:2402.04333): a row's
number is its mean influence on the targets, or on the target that it helps most; the
most negative numbers are taken. Q targets, N rows with scores.
"""

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy.typing import NDArray

from datainf.core.clean_options import By, SelectOptions
from datainf.core.durable import write_durably
from datainf.core.errors import DatainfWarning, OptionError, require_options
from datainf.core.run_config import DataConfig
from datainf.integrations.rewriting import (
    Edit,
    require_other_file,
    rewritten,
    suffix_for,
)
from datainf.workflows.data import label_column
from datainf.workflows.finished import flipped_note, open_finished
from datainf.workflows.groups import require_column
from datainf.workflows.progress import Logged, Reporter

RANK, SCORE = "datainf_rank", "datainf_score"


@dataclass(frozen=True)
class Selected:
    """What was taken of a data set.

    Attributes:
        file: What was written.
        rows: `rank`, `index`, `score` and, where balanced, `group`, as in the file.
    """

    file: Path
    rows: pd.DataFrame


def select(
    run: str | Path,
    out: str | Path,
    *,
    progress: Reporter | None = None,
    **options: Any,
) -> Selected:
    """Write the training rows that help the targets of a run most.

    Args:
        run: Folder of a finished `datainf attribute` (or `mislabeled` with validation
            rows): its queries are the targets.
        out: The file to write, of the ending of the data; the columns `datainf_rank`
            and `datainf_score` are added.
        progress: Told how far it is.
        **options: Fields of `SelectOptions`: `count`, `by`, `balance`.

    Returns:
        The file and the taken rows, most useful first.

    Raises:
        OptionError: If an option is unknown, there are no targets, or too few rows.

    Examples:
        >>> datainf.select("runs/me", "best.jsonl", count=100)  # doctest: +SKIP
    """
    require_options(options, (f.name for f in fields(SelectOptions)))
    asked, file = SelectOptions(**options), Path(out)
    reporter = progress or Logged()
    found = open_finished(run, reporter)
    if found.config.queries is None:
        raise OptionError(
            f"{run} ranked rows by self-influence and has no targets; run `datainf "
            "attribute --queries FILE` with examples of what the model should do."
        )
    require_other_file(
        file, {"training data": found.data, "target data": found.config.queries}
    )
    if file.suffix.lower() != suffix_for(found.data):
        raise OptionError(
            f"{file} must end in {suffix_for(found.data)}, the format of "
            f"{found.data.data}."
        )
    require_column(asked.balance, found.dataset)
    usefulness = one_number(found.scores.values, By(asked.by))
    groups = None
    if asked.balance is not None:
        groups = [found.dataset[int(i)][asked.balance] for i in found.index]
    places = best(usefulness, asked.count, groups)
    taken, numbers = usefulness[places], found.index[places]
    _warn_of_opponents(taken)
    ranks = np.arange(1, len(places) + 1)
    source = DataConfig(data=found.data.data, split=found.data.split)
    added = {RANK: ranks.tolist(), SCORE: taken.tolist()}
    file.parent.mkdir(parents=True, exist_ok=True)
    # The scores are of the labels that the run used.
    flipped = {i: v for i, v in found.flipped.items() if i in set(numbers.tolist())}
    if flipped:
        reporter.say(f"note: {flipped_note(len(flipped))}")
    cells = {label_column(found.subject.task): flipped} if flipped else {}
    edit = Edit(numbers.tolist(), cells, added)
    write_durably(file, [rewritten(source, edit)])
    rows = pd.DataFrame({"rank": ranks, "index": numbers, "score": taken})
    if groups is not None:
        rows["group"] = [groups[place] for place in places]
    return Selected(file, rows)


def one_number(values: Float[np.ndarray, "Q N"], by: By) -> Float[np.ndarray, " N"]:
    """Make one number a training row of its scores; negative = it helps.

    Args:
        values: Scores of the rows for the targets.
        by: Their mean, or the most negative one.

    Returns:
        The numbers.
    """
    return values.mean(axis=0) if by is By.MEAN else values.min(axis=0)


def best(
    values: Float[np.ndarray, " N"],
    count: int,
    groups: Sequence[Hashable] | None = None,
) -> Int[np.ndarray, " K"]:
    """Choose the most negative numbers, alike from every group where there are groups.

    Groups take turns, each giving its best row that is left; one that has none left is
    passed over, so small groups are taken whole and the others share the rest.

    Args:
        values: One number a row.
        count: How many rows.
        groups: Group of each row.

    Returns:
        Places of the rows, the most negative first; ties keep the data's order.

    Raises:
        OptionError: If there are fewer rows.

    Examples:
        >>> best(np.array([-3.0, -2.0, -1.0, 0.0]), 2, ["a", "a", "a", "b"]).tolist()
        [0, 3]
    """
    if count > len(values):
        raise OptionError(
            f"count={count} is more than the {len(values)} rows that have scores."
        )
    order = np.argsort(values, kind="stable")
    if groups is None:
        return order[:count]
    turns = pd.Series(order).groupby([str(groups[i]) for i in order]).cumcount()
    # Of one turn the best come first, so the last turn, cut short, is fair too.
    chosen = np.lexsort((np.arange(len(order)), turns.to_numpy()))[:count]
    return order[np.sort(chosen)]


def _warn_of_opponents(taken: NDArray[np.floating]) -> None:
    """Say that some of the rows hurt, where so many were asked for."""
    hurting = int((taken >= 0).sum())
    if hurting:
        warnings.warn(
            f"{hurting} of the {len(taken)} selected rows have a score of 0 or more: "
            "by these scores they do not help the targets; ask for fewer.",
            DatainfWarning,
            stacklevel=3,
        )
