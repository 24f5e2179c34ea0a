"""InfluenceCallback: scores that are ready when a Trainer's training ends.

    trainer = Trainer(model=model, train_dataset=rows, ...)     # or TRL's SFTTrainer
    callback = datainf.InfluenceCallback(trainer, questions, task, out="runs/me")
    trainer.add_callback(callback)
    trainer.train()
    callback.scores.top(5)

out/adapter/        the adapter, saved before anything else
out/checkpoints/    copies of the Trainer's checkpoints, for methods along training
out/train/, queries-*, checkpoint-*   gradients, as `attribute` lays them
out/scores/, out/report.html
"""

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from datainf.core.errors import DataError, DatainfError, DatainfWarning, OptionError
from datainf.core.records import Scores
from datainf.core.task import Task
from datainf.estimators.base import Estimator
from datainf.integrations.checkpoints import find_checkpoints
from datainf.integrations.end_of_training import EndOfTraining
from datainf.integrations.kept_checkpoints import KeptCheckpoints
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.rows import tokens_alone
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.table import as_task, require_task_fits
from datainf.workflows.attribute import (
    attribute,
    check_scoring,
    split_options,
    take_fisher,
)
from datainf.workflows.collect import collect_options
from datainf.workflows.pair import TRAIN
from datainf.workflows.pictures import keep_pictures
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.report import report
from datainf.workflows.retraining import Chosen
from datainf.workflows.rows import look_at, read_by_number

ADAPTER, CHECKPOINTS, SCORES, REPORT = "adapter", "checkpoints", "scores", "report.html"


class InfluenceCallback(EndOfTraining):
    """Scores the training examples for some queries when training ends.

    The options are checked, and the queries looked at, before training begins. Training
    is the same to the bit as without the callback; where it is interrupted and resumed,
    so are the scores. Several processes (DDP) leave the work to the first.

    Attributes:
        trainer: The Trainer.
        out: The folder of everything that is written.

    Examples:
        >>> trainer.add_callback(  # doctest: +SKIP
        ...     InfluenceCallback(trainer, questions, task, method="less")
        ... )
    """

    def __init__(  # noqa: PLR0913 - as attribute
        self,
        trainer: Any,
        queries: Any,
        task: Task | Any,
        *,
        train: Any = None,
        method: str | Estimator = "datainf",
        out: str | Path = "runs/influence",
        over_checkpoints: bool | None = None,
        checkpoint_limit: int | None = None,
        progress: Reporter | None = None,
        **options: Any,
    ) -> None:
        """Check everything that can be checked before training.

        Args:
            trainer: A `transformers.Trainer` or `trl.SFTTrainer` of a PEFT model.
            queries: The outputs to explain, as for `attribute`.
            task: What the loss of an example is, as for `attribute`.
            train: The training examples as the task reads them; those of the Trainer
                when not given, by their tokens if it has tokenised them.
            method: A name of `datainf.methods()`, or an estimator.
            out: Folder for adapter, checkpoints, gradients, scores and report.
            over_checkpoints: Whether to score over the checkpoints of training, one an
                epoch where the Trainer saves none; True for `tracin` and `less` when
                not given.
            checkpoint_limit: At most so many of them, evenly spread.
            progress: Told how far it is.
            **options: As for `attribute`.

        Raises:
            OptionError: If an option is wrong, or the Trainer has no checkpoints to
                keep.
            DataError: If the training examples cannot be read by number.
        """
        self._task = as_task(task)
        rows = _rows_of(trainer, self._task) if train is None else train
        if rows is None or not read_by_number(rows) or not len(rows):
            raise DataError(
                f"the Trainer's train_dataset is a {type(rows).__name__}; examples "
                "must have a length and be read by number: give train=ROWS."
            )
        collecting, scoring = split_options(options)
        estimator = check_scoring(method, scoring)
        over = estimator.follows_training
        over = over if over_checkpoints is None else over_checkpoints
        if estimator.needs_moments and not over:
            raise OptionError(
                f"{estimator.name} reads Adam's moments at checkpoints; leave "
                "over_checkpoints out."
            )
        if checkpoint_limit is not None and not over:
            raise OptionError(
                "checkpoint_limit came without checkpoints; give over_checkpoints=True."
            )
        take_fisher(dict(scoring), estimator, collect_options(collecting), over=over)
        _require_saving(trainer.args, over=over, moments=estimator.needs_moments)
        self.out = Path(out)
        kept = KeptCheckpoints(self.out / CHECKPOINTS, moments=estimator.needs_moments)
        super().__init__(
            trainer, kept if over else None, moments=estimator.needs_moments
        )
        self._data = (rows, queries)
        self._how = {
            "method": method,
            "checkpoint_limit": checkpoint_limit,
            "progress": progress,
            **options,
        }
        self._look(progress or Logged(), str(collecting.get("parameters", "all")))
        self._scores: Scores | None = None
        self._problem = "training has not ended yet"

    @property
    def scores(self) -> Scores:
        """The scores, once training has ended.

        Raises:
            OptionError: If there are none; says why.
        """
        if self._scores is None:
            raise OptionError(f"there are no scores: {self._problem}.")
        return self._scores

    @property
    def report(self) -> Path:
        """The report, once training has ended."""
        return self.out / REPORT

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Refuse to lay this training's results over those of another.

        Args:
            args: The Trainer's arguments.
            state: How far it is.
            control: The Trainer's.
            **rest: What else it tells.

        Raises:
            OptionError: If a new training finds results in its folder.
        """
        there = [n for n in (ADAPTER, TRAIN, SCORES) if (self.out / n).exists()]
        if there and not state.global_step:
            raise OptionError(
                f"{self.out} holds {there[0]} of an earlier training; give the "
                "callback another out, or delete it."
            )
        super().on_train_begin(args, state, control, **rest)

    def finish(self) -> dict[str, float]:
        """Save the adapter, collect, score and report.

        Returns:
            What the trackers are told: none where scoring failed, which is a warning,
            since training itself is done.
        """
        began = time.perf_counter()
        model: Any = self.trainer.model
        model.save_pretrained(str(self.out / ADAPTER))
        try:
            scores = self._score()
            scores.save(self.out / SCORES)
            drawn = keep_pictures(self.out, scores, self._task, *self._data)
            report(scores, self.report, pictures=drawn)
        except Exception as error:  # noqa: BLE001 - hours of training are behind us
            ours = isinstance(error, DatainfError)
            said = str(error) if ours else f"{type(error).__name__}: {error}"
            self._problem = said.removesuffix(".")
            warnings.warn(
                f"training is done, and the adapter lies in {self.out / ADAPTER}, but "
                f"there are no scores: {self._problem}.",
                DatainfWarning,
                stacklevel=2,
            )
            return {}
        self._scores = scores
        return _numbers(scores, time.perf_counter() - began)

    def _score(self) -> Scores:
        """Collect and score, as `attribute` does."""
        train, queries = self._data
        over = None if self._kept is None else find_checkpoints(self._kept.folder)
        return attribute(
            self.trainer.model,
            train,
            queries,
            self._task,
            cache=self.out,
            checkpoints=over,
            **self._how,
        )

    def _look(self, reporter: Reporter, parameters: str) -> None:
        """Refuse before training what would be refused after it."""
        model: Any = self.trainer.model
        adapter = adapter_of(model, parameters=parameters)
        require_task_fits(self._task, adapter.task_type, model)
        train, queries = self._data
        look_at(queries, self._task, reporter, text=False)
        look_at(Chosen(train, np.array([0])), self._task, reporter, text=False)


def _rows_of(trainer: Any, task: Task) -> Any:
    """Take the Trainer's examples as it reads them, if the task reads tokens."""
    rows = trainer.train_dataset
    by_token = isinstance(task, (CausalLM, Seq2Seq)) and not task.columns
    return tokens_alone(rows) if by_token else rows


def _require_saving(args: Any, *, over: bool, moments: bool) -> None:
    """Refuse a Trainer that leaves out of its checkpoints what is needed."""
    if over and moments and args.save_only_model:
        raise OptionError(
            "less needs the optimizer's state, and the Trainer saves only the model; "
            "train with save_only_model=False."
        )


def _numbers(scores: Scores, seconds: float) -> dict[str, float]:
    """Give what trackers can plot."""
    queries, examples = scores.values.shape
    found = {
        "influence_queries": float(queries),
        "influence_examples": float(examples),
        "influence_seconds": seconds,
    }
    solved = scores.residual[np.isfinite(scores.residual)]
    if solved.size:
        found["influence_residual"] = float(solved.max())
    agreed = scores.agreement[np.isfinite(scores.agreement)]
    if agreed.size:
        found["influence_agreement"] = float(agreed.mean())
    return found
