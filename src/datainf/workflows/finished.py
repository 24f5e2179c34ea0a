"""A finished run, opened again: its scores, beside the very rows they are of.

    out/run.yaml, out/scores/  of `datainf mislabeled` or `datainf attribute`

The rows are read and hashed anew: where the data changed since, numbers of rows would
point at other rows, so that is refused. N rows with scores.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from datainf.core.canonical import sha256_of
from datainf.core.errors import OptionError, StoreError
from datainf.core.records import HEAD, Scores
from datainf.core.run_config import DataConfig, RunConfig
from datainf.store.manifest import MANIFEST_NAME
from datainf.workflows.data import label_column, load_rows, require_data
from datainf.workflows.progress import Reporter
from datainf.workflows.rows import look_at
from datainf.workflows.run_file import read_run
from datainf.workflows.runs import RANKING, SCORES
from datainf.workflows.subject import Subject, load_subject


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        folder: Where it lies.
        config: What it was.
        scores: Its scores.
        subject: The adapter on its base, and the task.
        data: Where the training rows come from.
        dataset: The training rows as the run used them, flipped labels included.
        wrong: Which of them are known to be wrong, where it is known.
    """

    folder: Path
    config: RunConfig
    scores: Scores
    subject: Subject
    data: DataConfig
    dataset: Any
    wrong: NDArray[np.bool_] | None

    @property
    def index(self) -> Int[np.ndarray, " N"]:
        """Numbers of the rows that have scores."""
        return self.scores.train["index"].to_numpy()

    @property
    def suspicion(self) -> Float[np.ndarray, " N"]:
        """How much each row hurts: its mean influence on the loss of the queries.

        Without queries its self-influence, as `mislabeled` ranks.
        """
        mean = self.scores.values.mean(axis=0)
        return mean if self.config.queries is not None else -mean

    @property
    def explains_outputs(self) -> bool:
        """Whether it is a run of `attribute`, whose queries may be wrong answers."""
        return not (self.folder / RANKING).is_file()

    def most_suspicious(self, count: int) -> Int[np.ndarray, " K"]:
        """Give the places of the most suspicious rows among those with scores."""
        return np.argsort(-self.suspicion, kind="stable")[:count]

    @property
    def flipped(self) -> dict[int, Any]:
        """Labels that the run used and that are not those of the file, by row."""
        if not self.data.flip_labels or self.wrong is None:
            return {}
        column = label_column(self.subject.task)
        return {
            int(i): self.dataset[int(i)][column] for i in np.flatnonzero(self.wrong)
        }


def flipped_note(count: int) -> str:
    """Say that flipped labels stand in what is written.

    Args:
        count: How many.

    Returns:
        A note.
    """
    return f"{count} labels were flipped for the run, and are written flipped"


def open_finished(folder: str | Path, reporter: Reporter) -> Finished:
    """Open a run, and check that its data are still those that were scored.

    Args:
        folder: Of `datainf mislabeled` or `datainf attribute`.
        reporter: Told how far it is.

    Returns:
        The run.

    Raises:
        StoreError: If there are no scores, or they are of other rows.
        OptionError: If it is a run of `datainf score`, which names stores and no data.
    """
    place = Path(folder)
    if not (place / SCORES / HEAD).is_file():
        raise StoreError(
            f"{place} is no finished run (no {SCORES}/{HEAD}); give the --out folder "
            "of `datainf mislabeled` or `datainf attribute`."
        )
    config = read_run(place)
    data = require_data(config.train, "training data", "--train")
    if (Path(data.data) / MANIFEST_NAME).is_file():
        raise OptionError(
            f"{place} is a run of `datainf score`, which names stores and not the "
            "data; run `datainf mislabeled` or `datainf attribute`, which name both."
        )
    scores = Scores.load(place / SCORES)
    subject = load_subject(config)
    examples = load_rows(data, subject.task)
    rows = look_at(examples.dataset, subject.task, reporter, text=False)
    known = scores.provenance.sources.get("train", {}).get("data")
    if known != sha256_of(rows.hashes):
        raise StoreError(
            f"{data.data} holds other rows than those that {place} scored, so its "
            "numbers of rows would point at other ones; run it again, or put the data "
            "back."
        )
    return Finished(
        place, config, scores, subject, data, examples.dataset, examples.wrong
    )
