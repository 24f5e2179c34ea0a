"""What a change of the training data bought: the recipe trained on both, compared.

    before   the training rows as they were
    after    as they are now
    oracle   without the rows that are known to be wrong, where that is known

The same base, recipe and seeds for all. Measured on test rows of which none was trained
on and none chose what to change: such rows are left out, counted and named. S seeds, Q
test rows. Cost: S trainings each.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import NDArray

from datainf.core.errors import DataError, OptionError
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.task import Example, Task
from datainf.evaluation.paired import PairedEffect, paired_effect
from datainf.workflows.data import load_rows
from datainf.workflows.finished import Finished
from datainf.workflows.judgement import judge
from datainf.workflows.progress import Reporter
from datainf.workflows.retraining import Chosen, Retrainer
from datainf.workflows.rows import Rows, look_at

BEFORE, AFTER, ORACLE = "before", "after", "oracle"
_FEWEST = 2


@dataclass(frozen=True)
class Bought:
    """What a change bought.

    Attributes:
        table: A row a measure and comparison: `measure`, `change` ("after" or
            "oracle", against before), `before`, `after`, `effect`, `low`, `high`.
        seeds: S.
        test_rows: Q.
        notes: What a reader should know.
    """

    table: pd.DataFrame
    seeds: int
    test_rows: int
    notes: tuple[str, ...]


def require_recipe(run: Finished) -> None:
    """Refuse to repeat a training that is not known.

    Args:
        run: The run.

    Raises:
        OptionError: If its run.yaml has no recipe or base model.
    """
    if run.config.recipe is None or run.config.model is None:
        raise OptionError(
            f"{run.folder} names no recipe, so the training cannot be repeated; train "
            "the adapter with `datainf train`, or leave --retrain out."
        )


def fresh_rows(
    run: Finished, data: DataConfig, reporter: Reporter
) -> tuple[Rows, tuple[str, ...]]:
    """Load the rows that are measured: none of them was used before.

    Args:
        run: The run.
        data: Where they lie.
        reporter: Told how many are left out.

    Returns:
        The rows, and what a reader should know of them.

    Raises:
        OptionError: If hardly any row is left.
    """
    task, dataset = run.subject.task, load_rows(data, run.subject.task).dataset
    used: dict[bytes, str] = {}
    if run.config.queries is not None:
        chose = load_rows(run.config.queries, task).dataset
        used |= dict.fromkeys(_inputs(chose, task), "chose the suspects")
    trained = dict.fromkeys(_inputs(run.dataset, task), "were trained on")
    used = trained | used
    reasons = [used.get(one) for one in _inputs(dataset, task)]
    fresh = np.array([i for i, why in enumerate(reasons) if why is None], dtype=int)
    notes = []
    for why in dict.fromkeys(why for why in reasons if why):
        count = reasons.count(why)
        notes.append(f"{count} of {len(reasons)} test rows {why} and are left out")
    if len(fresh) < _FEWEST:
        raise OptionError(
            f"{data.data} holds {len(fresh)} rows that neither were trained on nor "
            f"chose the suspects, of {len(reasons)}; give --test rows of their own, or "
            "choose the suspects with fewer (`datainf mislabeled --queries-limit`)."
        )
    for note in notes:
        reporter.say(f"note: {note}")
    return look_at(Chosen(dataset, fresh), task, reporter, text=False), tuple(notes)


def _inputs(dataset: Any, task: Task) -> Iterator[bytes]:
    """Hash what the model reads of each row, whatever label or columns are beside."""
    for number in range(len(dataset)):
        yield _input(dataset[number], task)


def _input(example: Example, task: Task) -> bytes:
    digest = hashlib.sha256()
    batch = task.collate([example])
    for name in sorted(batch.keys() - {"labels"}):
        array = batch[name].cpu().numpy()
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def compare(
    run: Finished,
    after: Any,
    test: Rows,
    *,
    seeds: int,
    reporter: Reporter,
    notes: Sequence[str] = (),
) -> Bought:
    """Train on the data before and after, and measure both on the test rows.

    Args:
        run: The run; its recipe is repeated.
        after: The changed training rows.
        test: What is measured.
        seeds: How often, from the recipe's seed on.
        reporter: Told how far it is.
        notes: What is known of the test rows.

    Returns:
        The comparison.

    Raises:
        DataError: If no row would be left to train on.
    """
    if not len(after):
        raise DataError("no training row would be left; change fewer.")
    arms: dict[str, Any] = {BEFORE: run.dataset, AFTER: after}
    if run.wrong is not None and run.wrong.any() and not run.wrong.all():
        arms[ORACLE] = Chosen(run.dataset, np.flatnonzero(~run.wrong))
    measured = _measured(_settled(run), arms, test, seeds, reporter)
    rows = [
        _row(measure, arm, paired_effect(of[BEFORE], of[arm]))
        for measure, of in measured.items()
        for arm in list(arms)[1:]
    ]
    if seeds == 1:
        notes = (
            *notes,
            "one seed: the interval is of the test rows alone, and another seed may "
            "differ by more (--retrain-seeds 5)",
        )
    return Bought(pd.DataFrame(rows), seeds, len(test.lengths), tuple(notes))


def _settled(run: Finished) -> RunConfig:
    """Say the task as the adapter's own run does, name and all."""
    return replace(run.config, task=run.subject.task.settings())


def _measured(
    config: RunConfig,
    arms: Mapping[str, Any],
    test: Rows,
    seeds: int,
    reporter: Reporter,
) -> dict[str, dict[str, Float[np.ndarray, "S Q"]]]:
    """Train every arm with every seed: measure -> arm -> a number a seed and row."""
    retrainer = Retrainer(config)
    first = (config.recipe or Recipe()).seed
    losses: dict[str, list[NDArray[np.floating]]] = {arm: [] for arm in arms}
    right: dict[str, list[NDArray[np.floating]]] = {arm: [] for arm in arms}
    with reporter.stage("training again", seeds * len(arms)) as advance:
        for seed in range(first, first + seeds):
            for arm, data in arms.items():
                with retrainer.fitted(data, seed) as model:
                    found = judge(model, retrainer.task, test)
                losses[arm].append(found.losses)
                if found.right is not None:
                    right[arm].append(found.right)
                advance(1)
    measures = {"accuracy": right, "loss": losses}
    return {
        name: {arm: np.stack(rows) for arm, rows in of.items()}
        for name, of in measures.items()
        if of[BEFORE]
    }


def _row(measure: str, arm: str, found: PairedEffect) -> dict[str, Any]:
    return {
        "measure": measure,
        "change": arm,
        "before": found.before,
        "after": found.after,
        "effect": found.effect,
        "low": found.interval.low,
        "high": found.interval.high,
    }
