"""Clean: from a run's scores to better data; the data themselves are never touched.

    datainf mislabeled --adapter A --validation val.tsv --out runs/labels
    datainf clean runs/labels --share 0.1 --out better.tsv --retrain --test test.tsv

The most suspicious rows are dropped, or relabelled as the tuned model would, or written
down with reasons. Beside FILE lies `FILE.clean.json`: what was done to which rows, and
what it bought. K chosen rows.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datainf.__about__ import __version__
from datainf.core.canonical import canonical_json
from datainf.core.clean_options import Action, CleanOptions, ReviewTool
from datainf.core.durable import write_durably
from datainf.core.encodable import encodable
from datainf.core.errors import OptionError, require_options
from datainf.core.run_config import DataConfig
from datainf.integrations.examples import load_examples
from datainf.integrations.rewriting import (
    Edit,
    require_other_file,
    rewritten,
    suffix_for,
)
from datainf.workflows.data import label_column
from datainf.workflows.finished import Finished, flipped_note, open_finished
from datainf.workflows.held_out import Bought, compare, fresh_rows, require_recipe
from datainf.workflows.judgement import has_classes
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.retraining import Chosen
from datainf.workflows.review import ranked, review_table, suggestions
from datainf.workflows.review_tools import exported, text_of
from datainf.workflows.spreadsheet import write_for_people

_QUEUES = (".csv", ".parquet")


@dataclass(frozen=True)
class Cleaned:
    """What became of a data set.

    Attributes:
        file: What was written.
        rows: The chosen rows, most suspicious first: `rank`, `index`, `suspicion`,
            `label` and, by action, what the model says of them; `done` says what
            became of each.
        bought: What it bought, where that was asked for.
        notes: What a reader should know.
    """

    file: Path
    rows: pd.DataFrame
    bought: Bought | None
    notes: tuple[str, ...]


def clean(
    run: str | Path,
    out: str | Path,
    *,
    progress: Reporter | None = None,
    **options: Any,
) -> Cleaned:
    """Drop, relabel or write down the most suspicious rows of a run.

    Args:
        run: Folder of a finished `datainf mislabeled` (or `attribute`: rows that hurt
            its queries most).
        out: The file to write: of the ending of the data for `drop` and `relabel`;
            .csv or .parquet for `review`, .json for a labelling tool.
        progress: Told how far it is.
        **options: Fields of `CleanOptions`: `action`, `count` or `share`, `sure`,
            `tool`, `retrain`, `test`, `test_split`, `retrain_seeds`.

    Returns:
        The file, the chosen rows, and what it bought.

    Raises:
        OptionError: If an option is unknown, or the model gives no labels.

    Examples:
        >>> datainf.clean("runs/labels", "better.tsv", share=0.1)  # doctest: +SKIP
    """
    require_options(options, (f.name for f in fields(CleanOptions)))
    asked, reporter, file = CleanOptions(**options), progress or Logged(), Path(out)
    found = open_finished(run, reporter)
    count = asked.how_many(len(found.index))
    _require_place(file, asked, found)
    if asked.action == Action.RELABEL and not has_classes(found.subject.task):
        name = found.subject.task.settings()["name"]
        raise OptionError(
            f"relabel needs one class a row, and {name} has none; drop the rows, or "
            "review them."
        )
    if found.explains_outputs:
        reporter.say(
            "note: the rows that go are those that made the answers of the run's "
            "queries less likely; where these answers are wrong, they are the right "
            "rows. Give queries with right answers, or a run of mislabeled."
        )
    places, test = found.most_suspicious(count), None
    if asked.retrain:
        # What is wrong with the test rows shows before anything is trained.
        require_recipe(found)
        data = DataConfig(data=str(asked.test), split=asked.test_split)
        test = fresh_rows(found, data, reporter)
    file.parent.mkdir(parents=True, exist_ok=True)
    if asked.action == Action.REVIEW:
        table = review_table(found, places, reporter)
        _write_queue(table, found, asked, file)
        return _finish(Cleaned(file, table, None, ()), found, asked)
    table, labels = _decided(found, asked, places, reporter)
    gone = set(table.loc[table["done"] == "dropped", "index"])
    notes = _write_data(found, file, gone, labels)
    # What was done is written down before anything can fail in hours of training.
    made = _finish(Cleaned(file, table, None, notes), found, asked)
    if test is None:
        return made
    bought = compare(
        found,
        _Changed(found, gone, labels),
        test[0],
        seeds=asked.retrain_seeds,
        reporter=reporter,
        notes=test[1],
    )
    return _finish(replace(made, bought=bought), found, asked)


def _require_place(file: Path, asked: CleanOptions, run: Finished) -> None:
    """Refuse a file that is an input, or of another format than what is written."""
    test = None if asked.test is None else DataConfig(data=asked.test)
    require_other_file(
        file,
        {
            "training data": run.data,
            "validation data": run.config.queries,
            "test data": test,
        },
    )
    if asked.action == Action.REVIEW:
        right = _QUEUES if asked.tool is None else (".json",)
        what = "a review queue"
    else:
        right = (suffix_for(run.data),)
        what = f"what is left of {run.data.data}"
    if file.suffix.lower() not in right:
        raise OptionError(
            f"{file} must end in {' or '.join(right)}, the format of {what}."
        )


def _decided(
    run: Finished,
    asked: CleanOptions,
    places: NDArray[np.integer],
    reporter: Reporter,
) -> tuple[pd.DataFrame, dict[int, Any]]:
    """Say what becomes of each chosen row, and which get which label."""
    if asked.action == Action.DROP:
        return ranked(run, places).assign(done="dropped"), {}
    table = suggestions(run, places, reporter)
    moved = table["disagrees"] & (table["model_probability"] >= asked.sure)
    unsure = table["disagrees"] & ~moved
    done = np.where(moved, "relabelled", np.where(unsure, "unsure", "agrees"))
    table["done"] = done
    pairs = zip(table["index"], table["model_label"], moved, strict=True)
    return table, {int(number): label for number, label, yes in pairs if yes}


def _write_data(
    run: Finished, file: Path, gone: set[int], labels: dict[int, Any]
) -> tuple[str, ...]:
    """Write the data less the dropped rows, with the new labels."""
    source = DataConfig(data=run.data.data, split=run.data.split)
    total = len(load_examples(source))
    column = label_column(run.subject.task)
    notes = []
    flipped = run.flipped
    cells = flipped | labels
    if flipped:
        notes.append(flipped_note(len(flipped)))
    unscored = total - len(run.index)
    if unscored:
        notes.append(f"{unscored} of {total} rows have no score and stay")
    keep = [i for i in range(total) if i not in gone]
    edit = Edit(keep, {column: cells} if cells else {})
    write_durably(file, [rewritten(source, edit)])
    return tuple(notes)


class _Changed(Chosen):
    """The training rows less the dropped ones, with the new labels."""

    def __init__(
        self, run: Finished, gone: set[int], labels: Mapping[int, Any]
    ) -> None:
        kept = [i for i in range(len(run.dataset)) if i not in gone]
        super().__init__(run.dataset, np.array(kept, dtype=np.int64))
        self._labels, self._column = labels, label_column(run.subject.task)

    def __getitem__(self, number: int) -> Any:
        row, place = dict(super().__getitem__(number)), int(self._numbers[number])
        if place in self._labels:
            row[self._column] = self._labels[place]
        return row


def _write_queue(
    table: pd.DataFrame, run: Finished, asked: CleanOptions, file: Path
) -> None:
    """Write a review queue."""
    if asked.tool is not None:
        column = label_column(run.subject.task)
        rows = [run.dataset[int(number)] for number in table["index"]]
        texts = [text_of(row, column) for row in rows]
        write_durably(file, [exported(table, texts, ReviewTool(asked.tool))])
    elif file.suffix.lower() == ".csv":
        write_for_people(table, file)
    else:
        table.to_parquet(file, index=False)


def _finish(made: Cleaned, run: Finished, asked: CleanOptions) -> Cleaned:
    """Write down what was done, beside the file."""
    bought = made.bought
    facts = {
        "datainf": __version__,
        "run": str(run.folder),
        "data": run.data.data,
        "options": {
            name: str(value) if isinstance(value, str) else value
            for name, value in asdict(asked).items()
            if value is not None
        },
        "rows": made.rows.to_dict(orient="records"),
        "notes": list(made.notes),
        "bought": None
        if bought is None
        else {
            "seeds": bought.seeds,
            "test_rows": bought.test_rows,
            "notes": list(bought.notes),
            "effects": bought.table.to_dict(orient="records"),
        },
    }
    beside = made.file.with_name(f"{made.file.name}.clean.json")
    write_durably(beside, [canonical_json(encodable(facts)).encode()])
    return made
