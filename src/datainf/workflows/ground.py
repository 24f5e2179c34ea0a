"""The ground on which scores are judged: an adapter, its recipe, and its retrainings.

The adapter that is judged must come from the very recipe that is repeated. Where the
run names none, it is trained first, into `adapter/` of the run's folder, and found
there the next time.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from datainf.core.canonical import sha256_of
from datainf.core.errors import NonFiniteError, OptionError
from datainf.core.evaluate_options import EvaluateOptions
from datainf.core.options import Precision
from datainf.core.recipe import Recipe
from datainf.core.run_config import RunConfig
from datainf.core.task import Task
from datainf.evaluation.agreement import FEWEST
from datainf.evaluation.lds import NoiseCeiling, noise_ceiling
from datainf.integrations.fingerprint import hash_base
from datainf.integrations.peft import adapter_of
from datainf.workflows.checkpoints import refuse_checkpoints
from datainf.workflows.data import load_rows, require_data
from datainf.workflows.progress import Reporter
from datainf.workflows.retrained import Retrained
from datainf.workflows.retraining import Outcome, Retraining
from datainf.workflows.rows import Rows, look_at
from datainf.workflows.run_file import RUN_FILE, beside_adapter, read_run
from datainf.workflows.subject import load_subject
from datainf.workflows.training import train_run, with_defaults

ADAPTER, RETRAINED = "adapter", "retrained"


@dataclass
class Ground:
    """What every evaluation by retraining works on.

    Attributes:
        config: The run, with everything settled.
        options: How to evaluate.
        recipe: How every retraining trains.
        task: What the loss of an example is.
        model: The adapter's model; None once scores are made.
        train: The training examples, looked at.
        queries: The queries, looked at.
        retrained: The finished retrainings.
        findings: What a reader of the results should know about the data.
    """

    config: RunConfig
    options: EvaluateOptions
    recipe: Recipe
    task: Task
    model: nn.Module | None
    train: Rows
    queries: Rows
    retrained: Retrained
    findings: tuple[str, ...]

    @classmethod
    def prepare(cls, config: RunConfig, reporter: Reporter) -> "Ground":
        """Train the adapter if need be, load it, and look at the data.

        Args:
            config: The run.
            reporter: Told how far it is.

        Returns:
            The ground.
        """
        require_data(config.queries, "queries", "--queries")
        refuse_checkpoints(config, "datainf evaluate")
        options = config.evaluate or EvaluateOptions()
        settled = _with_adapter(replace(config, evaluate=options), reporter)
        recipe = settled.recipe or Recipe()
        subject = load_subject(settled)
        settled = replace(settled, task=subject.task.settings())
        rows = [
            look_at(load_rows(part, subject.task).dataset, subject.task, reporter,
                    text=True)
            for part in (settled.train, settled.queries)
            if part is not None
        ]  # fmt: skip
        train, queries = rows
        task = {k: v for k, v in subject.task.settings().items() if k != "reduction"}
        facts = {
            "recipe": recipe.keeping_nothing().to_dict(),
            "task": task,
            "base": hash_base(subject.model, adapter_of(subject.model)),
            "train": sha256_of(train.hashes),
            "queries": sha256_of(queries.hashes),
        }
        if settled.precision is not Precision.FLOAT32:
            # Once training was in float32 whatever this said.
            facts["precision"] = str(settled.precision)
        folder = Path(options.retrained or Path(settled.out) / RETRAINED)
        findings = tuple(class_findings(subject.task, train, queries))
        for finding in findings:
            reporter.say(f"note: {finding}")
        return cls(
            settled,
            options,
            recipe,
            subject.task,
            subject.model,
            train,
            queries,
            Retrained(folder, settled, facts),
            findings,
        )

    def outcomes(
        self, asked: Sequence[Retraining], reporter: Reporter
    ) -> list[Outcome]:
        """Give the outcomes of retrainings, training those that are missing."""
        return self.retrained.outcomes(
            asked,
            workers=self.options.workers,
            diverged=self.options.diverged,
            reporter=reporter,
        )

    def release_model(self) -> None:
        """Let go of the model, which retraining loads anew: two may not fit."""
        self.model = None

    def require_batches(self, removed: int) -> None:
        """Refuse subsets that hold less than one batch of the recipe.

        Args:
            removed: How many examples are left out.

        Raises:
            OptionError: If what is left is smaller than a batch.
        """
        training = self.recipe.training
        batch = int(training.get("per_device_train_batch_size", 8)) * int(
            training.get("gradient_accumulation_steps", 1)
        )
        left = len(self.train.table) - removed
        if left < batch:
            raise OptionError(
                f"without {removed} of {len(self.train.table)} examples, {left} are "
                f"left, fewer than a batch of {batch}; remove fewer, train with a "
                "smaller batch, or keep the batch order (--batch-order kept)."
            )


def losses_of(
    outcomes: Sequence[Outcome],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Gather losses as a table.

    Args:
        outcomes: Of S retrainings.

    Returns:
        The losses `[S', Q]` of those that did not diverge, and which these are, `[S]`.

    Raises:
        NonFiniteError: If fewer are left than a rank correlation needs.
    """
    there = np.array([one.losses is not None for one in outcomes])
    table = [one.losses for one in outcomes if one.losses is not None]
    if len(table) < FEWEST:
        raise NonFiniteError(
            f"{len(outcomes) - len(table)} of {len(outcomes)} retrainings diverged, "
            f"and fewer than {FEWEST} are left; lower learning_rate."
        )
    return np.array(table, dtype=np.float64), there


def ceiling_of(
    first: Sequence[Outcome], second: Sequence[Outcome]
) -> dict[str, Any] | None:
    """Compare the first retrainings with their twins of another seed.

    Args:
        first: With the recipe's seed.
        second: With the next seed; as many, or fewer.

    Returns:
        What two seeds agree on, as JSON values; None with fewer than three pairs.
    """
    pairs = [
        (a.losses, b.losses)
        for a, b in zip(first, second, strict=False)
        if a.losses is not None and b.losses is not None
    ]
    if len(pairs) < FEWEST:
        return None
    found: NoiseCeiling = noise_ceiling([a for a, _ in pairs], [b for _, b in pairs])
    return {
        "twins": len(pairs),
        "agreement": found.agreement.value,
        "low": found.agreement.interval.low,
        "high": found.agreement.interval.high,
        "perfect_predictor": found.value,
    }


def class_findings(task: Any, train: Rows, queries: Rows) -> list[str]:
    """Say what is odd about the classes of a classification.

    Args:
        task: The task; one without classes gives no finding.
        train: The training examples.
        queries: The queries.

    Returns:
        A sentence about queries of classes that were never trained, and one about
        classes with one example, which half of the subsets lack altogether.
    """
    if not hasattr(task, "label_of"):
        return []
    trained, asked = (
        Counter(
            label
            for label in map(task.label_of, rows.read(range(len(rows.table))))
            if isinstance(label, int)
        )
        for rows in (train, queries)
    )
    unseen = {label: n for label, n in sorted(asked.items()) if label not in trained}
    single = [label for label, n in sorted(trained.items()) if n == 1]
    found = []
    if trained and unseen:
        listed = ", ".join(f"class {label} ({n})" for label, n in unseen.items())
        found.append(
            f"{sum(unseen.values())} of {sum(asked.values())} queries are of a class "
            f"that no training example has: {listed}; they are measured, but nothing "
            "in the data teaches them."
        )
    if single:
        listed = ", ".join(map(str, single))
        found.append(
            f"one training example alone is of class {listed}; subsets without it "
            "know nothing of the class."
        )
    return found


def _with_adapter(config: RunConfig, reporter: Reporter) -> RunConfig:
    """Name the adapter of the run's recipe, training it if it is not there."""
    if config.adapter is not None:
        return _with_recipe(config)
    folder = Path(config.out) / ADAPTER
    wanted = replace(config, adapter=None, queries=None, evaluate=None, out=str(folder))
    if (folder / RUN_FILE).is_file():
        there = read_run(folder)
        _require_same(
            {"base model": there.model, "training data": there.train,
             "recipe": there.recipe, "task": _chosen(there.task, wanted.task)},
            {"base model": wanted.model, "training data": wanted.train,
             "recipe": with_defaults(wanted.recipe), "task": dict(wanted.task)},
            folder,
        )  # fmt: skip
        reporter.say(f"{folder}: the adapter of this recipe is there already")
    else:
        train_run(wanted, reporter)
        there = read_run(folder)
    return replace(
        config,
        model=there.model,
        adapter=there.adapter,
        task={**there.task, **config.task},
        train=there.train,
        recipe=there.recipe,
    )


def _chosen(task: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Take of a settled task what the run says itself."""
    return {
        key: value if key not in ("text_columns", "reduction") else asked[key]
        for key, value in task.items()
        if key in asked
    }


def _with_recipe(config: RunConfig) -> RunConfig:
    """Settle the recipe of an adapter that was given."""
    beside = beside_adapter(config.adapter)
    if config.recipe is None or config.model is None or config.train is None:
        raise OptionError(
            f"the adapter {config.adapter} cannot be trained again: its folder has no "
            "run.yaml of `datainf train` with model, train and recipe; give --model, "
            "--train and --recipe as it was trained, or leave --adapter out, and it is "
            "trained first."
        )
    recipe = with_defaults(config.recipe)
    if beside.get("recipe") is not None:
        own = Recipe.from_dict(beside["recipe"])
        _require_same({"recipe": own}, {"recipe": recipe}, Path(config.adapter or ""))
    return replace(config, recipe=recipe)


def _require_same(
    there: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path
) -> None:
    """Refuse an adapter that was trained in another way than it would be again."""
    differs = [name for name in wanted if there[name] != wanted[name]]
    if differs:
        raise OptionError(
            f"{folder} holds an adapter with another {' and '.join(differs)} than this "
            "run's; give --out a folder of its own, or leave the recipe to the adapter."
        )
