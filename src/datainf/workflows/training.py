"""Train an adapter from run.yaml, and leave beside it a run.yaml that says all.

`datainf mislabeled --adapter DIR` then needs the folder alone: base model, training
data with the labels that were flipped, task and recipe stand in it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from datainf.core.errors import AdapterError, DataError, OptionError, near
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.task import Task
from datainf.integrations.base_models import (
    load_base,
    load_config,
    load_processor,
)
from datainf.integrations.examples import load_examples
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.problems import Problem
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.table import TASKS, reads_by, task_from_settings
from datainf.integrations.tasks.tokens import IGNORED
from datainf.integrations.tasks.vocabulary import token_check
from datainf.integrations.trainer import peft_config, train, training_arguments
from datainf.workflows.data import (
    load_rows,
    require_data,
    task_name_for,
    text_columns_of,
    with_problem,
)
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.rows import look_at
from datainf.workflows.run_file import write_run

DEFAULT_RECIPE = Recipe(
    peft={"peft_type": "LORA", "r": 8, "lora_alpha": 16, "lora_dropout": 0.05},
    training={
        "num_train_epochs": 3,
        "per_device_train_batch_size": 16,
        "learning_rate": 3e-4,
    },
)
"""What `datainf train` does when nothing else is said; the paper's learning rate."""


def train_run(config: RunConfig, progress: Reporter | None = None) -> Path:
    """Train the adapter that a run describes.

    Args:
        config: `model`, `train`, `task`, `recipe` and `out`.
        progress: Told how far it is.

    Returns:
        The adapter's folder, with run.yaml in it.

    Raises:
        OptionError: If no base model or no data is named.
    """
    reporter = progress or Logged()
    if config.model is None:
        raise OptionError(
            "no base model given; name its folder or hub name with --model, or as "
            "`model:` in run.yaml."
        )
    data = require_data(config.train, "training data", "--train")
    recipe = with_defaults(config.recipe)
    settings = _settle(config.task, data, _base(config))
    processor = load_processor(
        reads_by(settings["name"]),
        config.model,
        trust_remote_code=config.trust_remote_code,
    )
    task = task_from_settings(settings, processor)
    rows = load_rows(data, task)
    peft_config(recipe, task)  # what is wrong with a recipe shows before the base loads
    training_arguments(recipe, Path(config.out))
    # A task that misses a column says so now.
    task.for_columns(rows.dataset.column_names)
    model = load_base(
        config.model,
        task,
        seed=recipe.seed,
        trained=tuple(recipe.peft.get("modules_to_save") or ()),
        precision=config.precision,
        trust_remote_code=config.trust_remote_code,
    )
    # What is wrong with a row shows now, not in the epoch's last step.
    check = token_check(task, model)
    look_at(rows.dataset, task, reporter, text=False, check=check)
    if rows.wrong is not None:
        reporter.say(f"{int(rows.wrong.sum())} of {len(rows.wrong)} labels are wrong")
    settled = replace(
        config, task=task.settings(), recipe=recipe, adapter=str(config.out)
    )
    _train(model, rows.dataset, task, recipe, out=config.out, reporter=reporter)
    write_run(settled, config.out)
    return Path(config.out)


def with_defaults(recipe: Recipe | None) -> Recipe:
    """Fill in what a recipe leaves open.

    Args:
        recipe: What was asked for.

    Returns:
        A recipe that says its epochs, batch size, learning rate and, for LoRA, rank.
    """
    asked = recipe or Recipe()
    kind = str(asked.peft.get("peft_type", "LORA")).upper()
    # Rank and the rest are LoRA's own; another type refuses them.
    below = DEFAULT_RECIPE.peft if kind == "LORA" else {}
    return Recipe(
        peft={**below, **asked.peft},
        training={**DEFAULT_RECIPE.training, **asked.training},
        seed=asked.seed,
    )


def _base(config: RunConfig) -> object:
    """Give the base's configuration; None where loading it will say what fails."""
    try:
        return load_config(
            str(config.model), trust_remote_code=config.trust_remote_code
        )
    except AdapterError:
        return None


def _settle(
    settings: Mapping[str, Any], data: DataConfig, base: object
) -> dict[str, Any]:
    """Fix the task's name and its classes, from the data before any flip."""
    dataset = load_examples(data)
    known = dict(settings)
    columns = dataset.column_names
    if "name" not in known:
        asked = known.get("label_column")
        if asked is not None and asked not in columns:
            # Without its label the table would be taken for texts to learn.
            raise DataError(f"column {asked!r} is missing: {near(asked, columns)}.")
        known["name"] = task_name_for(columns, str(known.get("label_column", "label")))
        # The columns are the same with and without an encoder.
        pair = getattr(base, "is_encoder_decoder", False)
        if known["name"] == CausalLM.name and pair:
            known["name"] = Seq2Seq.name
    known = with_problem(known, base)
    one_class = known.get("problem") in (None, Problem.SINGLE)
    unknown = known.get("labels") is None and known.get("num_labels") is None
    kind = TASKS.get(known["name"])
    if kind is not None and kind.heads and one_class and unknown:
        labels = known.get("label_column") or getattr(kind, "label_column", "label")
        if labels in columns:
            known |= _classes(dataset, str(labels))
    return text_columns_of(known)


def _classes(dataset: Any, column: str) -> dict[str, Any]:
    """Tell the classes by the column's type, or by what stands in it."""
    kind = dataset.features[column]
    # Labels of words are lists, whose items have the type.
    names = getattr(getattr(kind, "feature", kind), "names", None)
    if names is not None:
        return {"labels": list(names)}
    labels = [y if isinstance(y, list) else [y] for y in dataset[column]]
    found = {label for row in labels for label in row} - {IGNORED}
    if all(isinstance(label, str) for label in found):
        return {"labels": sorted(found)}
    if all(type(label) is int for label in found):
        return {"num_labels": max(2, max(found) + 1)}
    return {}


def _train(
    model: nn.Module,
    dataset: Any,
    task: Task,
    recipe: Recipe,
    *,
    out: str,
    reporter: Reporter,
) -> None:
    """Train, drawing a bar whose length the Trainer tells with the first step."""
    seen = {"step": 0}
    with reporter.stage("training", 1) as advance:

        def told(step: int, steps: int, loss: float | None) -> None:  # noqa: ARG001
            advance((step - seen["step"]) / steps)
            seen["step"] = step

        train(model, dataset, task, recipe, out=out, progress=told)
