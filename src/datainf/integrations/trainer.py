"""Train an adapter from a recipe with `transformers.Trainer`.

    base model + recipe.peft  ->  PEFT model  --recipe.training-->  adapter in `out`

The same base, recipe and data give bit-equal adapters on one machine's CPU: adapter
weights, batch order and dropout all follow from `recipe.seed`, and the caller's random
state is put back. The tasks of the table train by the model's own loss (the mean over a
batch's examples or label tokens), a `CallableTask` by the mean of its losses.

With `weights` the loss of a batch is Σ w·loss / B (of tokens: over the batch's label
tokens): an example of weight 0 is removed, and batches, steps and what the others count
for stay as they were.
"""

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import peft
import torch
import transformers
from numpy.typing import ArrayLike
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftConfig, PeftModel, get_peft_model
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import (
    AdapterError,
    DataError,
    NonFiniteError,
    OptionError,
    near,
)
from datainf.core.options import number
from datainf.core.recipe import Recipe
from datainf.core.task import Task
from datainf.integrations.checkpoints import CHECKPOINTS, RUN_FILE
from datainf.integrations.diffusion.pipelines import as_module
from datainf.integrations.fingerprint import hash_example
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.weights import (
    WEIGHTS,
    Weighted,
    collated,
    drawn,
    draws,
    weighted,
    weighted_loss,
)

Progress = Callable[[int, int, float | None], None]
"""Called after a step with its number, the number of steps and the last logged loss."""

_DEFAULTS: Mapping[str, Any] = {
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    # Filtered, a loss of NaN would be logged as the mean of those before it.
    "logging_nan_inf_filter": False,
}
_OURS = ("remove_unused_columns", "label_names")
# What the Trainer refuses only after the base is loaded, or takes for "do nothing":
# argument -> its least value and whether it counts something.
_RANGES: Mapping[str, tuple[float, bool]] = {
    "learning_rate": (0, False),
    "num_train_epochs": (0, False),
    "per_device_train_batch_size": (1, True),
    "gradient_accumulation_steps": (1, True),
}


def train(  # noqa: PLR0913 - how to train, by name
    model: nn.Module,
    dataset: Any,
    task: Task,
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    weights: ArrayLike | None = None,
) -> PeftModel:
    """Train an adapter, and save it where a folder is given.

    Args:
        model: The base model, or a pipeline of diffusers, without an adapter. As always
            with PEFT, the adapter is put into this very object; `.unload()` of the
            result gives the base back.
        dataset: The training examples: sized and indexable.
        task: What their loss is.
        recipe: How to train.
        out: Folder for the adapter, its tokenizer and the checkpoints; nothing is kept
            on disk when None.
        resume: Go on from the last checkpoint in `out`, where the recipe asks for
            checkpoints (`save_strategy`) and an earlier run of it was interrupted.
        progress: Told of every step.
        weights: What each example's loss counts for in its batch; 1 when not given.

    Returns:
        The trained model, in eval mode.

    Raises:
        DataError: If there are no examples.
        NonFiniteError: If training ended in NaN or infinity; nothing is saved then.
    """
    if not len(dataset):
        raise DataError("training needs examples, got none.")
    model = as_module(model)
    require_model = getattr(task, "require_model", None)
    if require_model is not None:
        require_model(model)
    with _folder(out) as folder, seeded(recipe.seed):
        adapted = _put_on(_require_base(model), peft_config(recipe, task))
        arguments = training_arguments(recipe, folder / CHECKPOINTS)
        _refuse_summed_batches(arguments)
        trainer = _TaskTrainer(
            model=adapted,
            args=arguments,
            train_dataset=dataset if weights is None else Weighted(dataset, weights),
            data_collator=(collated if weights is None else weighted)(task),
            callbacks=[] if progress is None else [_Reporter(progress)],
        )
        # Without a progress bar the Trainer prints its logs, which is ours to decide.
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.task = task
        # A model that takes any keyword passes for one that divides its loss by the
        # tokens of all accumulated batches; only language models do. With False, the
        # Trainer divides the others' means by the number of accumulated batches.
        trainer.model_accepts_loss_kwargs &= isinstance(task, CausalLM)
        start = _checkpoint(arguments, recipe, task, dataset, resume=resume)
        result = trainer.train(resume_from_checkpoint=start)
        _require_finite(adapted, result.training_loss)
        adapted.eval()
        if out is not None:
            _save(adapted, task, folder)
    return adapted


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """Give the user's folder, or one that is gone afterwards."""
    if out is not None:
        yield Path(out)
        return
    with TemporaryDirectory(prefix="datainf-") as name:
        yield Path(name)


def _save(adapted: PeftModel, task: Task, folder: Path) -> None:
    """Save the adapter and its tokenizer or image processor."""
    if (folder / CHECKPOINTS).is_dir() and not any((folder / CHECKPOINTS).iterdir()):
        (folder / CHECKPOINTS).rmdir()  # the Trainer makes it in any case
    adapted.save_pretrained(str(folder))
    processor = getattr(task, "tokenizer", None) or getattr(task, "processor", None)
    if processor is not None:
        processor.save_pretrained(str(folder))


def peft_config(recipe: Recipe, task: Task) -> PeftConfig:
    """Build the PEFT config of a recipe.

    Args:
        recipe: `recipe.peft` holds the config's arguments and its `peft_type`.
        task: Gives the task type, unless it is the user's own loss. For images, which
            PEFT has no type for, the head is added to `modules_to_save`, unless the
            recipe names modules itself.

    Returns:
        The config.

    Raises:
        OptionError: If the type or an argument is unknown, or the task type another.
    """
    given = dict(recipe.peft)
    kind = str(given.pop("peft_type", "LORA")).upper()
    known_kinds = [str(getattr(k, "value", k)) for k in PEFT_TYPE_TO_CONFIG_MAPPING]
    if kind not in known_kinds:
        raise OptionError(
            f"recipe.peft.peft_type={kind!r} is unknown: {near(kind, known_kinds)}."
        )
    config = PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(kind)]
    known = [f.name for f in fields(config) if f.init]
    for key in given:
        if key not in known:
            raise OptionError(f"recipe.peft.{key} is unknown: {near(str(key), known)}.")
    task_type = getattr(task, "task_type", None)
    heads = getattr(task, "heads", ())
    if heads and task_type is None and "modules_to_save" in known:
        # PEFT trains the head by itself only for the task types that it knows.
        given.setdefault("modules_to_save", list(heads))
    asked = given.setdefault("task_type", task_type)
    if task_type is not None and asked != task_type:
        raise OptionError(
            f"recipe.peft.task_type={asked!r}, but the task trains {task_type}; "
            "leave it out."
        )
    try:
        return config(**given)
    except (TypeError, ValueError) as error:
        raise OptionError(f"recipe.peft is refused by peft: {error}") from error


def training_arguments(recipe: Recipe, output: Path) -> TrainingArguments:
    """Build the `TrainingArguments` of a recipe.

    Args:
        recipe: `recipe.training` holds the arguments by their own names.
        output: Folder for checkpoints.

    Returns:
        The arguments, with `seed` from the recipe, no reports, and no checkpoints
        unless asked for.

    Raises:
        OptionError: If an argument is unknown, or is not the recipe's to choose.
    """
    known = [f.name for f in fields(TrainingArguments) if f.init]
    for key in recipe.training:
        if key not in known:
            raise OptionError(
                f"recipe.training.{key} is unknown: {near(str(key), known)}."
            )
        if key in _OURS:
            raise OptionError(
                f"recipe.training.{key} cannot be chosen: the task makes the batches."
            )
    given = {**_DEFAULTS, **recipe.training}
    for key, (least, whole) in _RANGES.items():
        if key in given:
            name = f"recipe.training.{key}"
            given[key] = number(given[key], name, least=least, whole=whole)
    if str(getattr(given["save_strategy"], "value", given["save_strategy"])) != "no":
        # Methods along training weigh a checkpoint by the rates that led to it.
        given.setdefault("logging_steps", 1)
    given.setdefault("dataloader_pin_memory", torch.cuda.is_available())
    try:
        return TrainingArguments(
            output_dir=str(output),
            seed=recipe.seed,
            remove_unused_columns=False,
            label_names=["labels"],
            **given,
        )
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"recipe.training is refused by TrainingArguments: {error}"
        ) from error


def _refuse_summed_batches(arguments: TrainingArguments) -> None:
    """Refuse to accumulate batches with a Trainer that does not average them."""
    steps, version = arguments.gradient_accumulation_steps, transformers.__version__
    if steps > 1 and int(version.split(".")[0]) < 5:
        raise OptionError(
            f"gradient_accumulation_steps={steps}: the Trainer of transformers "
            f"{version} adds up the gradients of accumulated batches where it should "
            "average them; upgrade to transformers 5, or leave it out."
        )


def _require_base(model: nn.Module) -> nn.Module:
    """Refuse a model that carries an adapter already."""
    if isinstance(model, PeftModel):
        raise AdapterError(
            "training starts from a base model, got one with an adapter; give "
            "model.unload(), or the base's name to load_base."
        )
    if any(
        name.rpartition(".")[2].startswith("lora_") for name, _ in model.named_modules()
    ):
        raise AdapterError(
            "the base model has adapter layers in it, from an earlier training on the "
            "same object; call unload() on that training's result first."
        )
    return model


def _put_on(base: nn.Module, config: PeftConfig) -> PeftModel:
    """Put a new adapter on a base; PEFT sees only now whether ranks and names fit."""
    try:
        return get_peft_model(base, config)
    except ValueError as error:
        raise OptionError(f"recipe.peft is refused by peft: {error}") from error


def _require_finite(model: nn.Module, loss: float) -> None:
    """Refuse a training that ended in NaN or infinity."""
    broken = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and not bool(parameter.isfinite().all())
    ]
    if broken or not math.isfinite(loss):
        where = f"; not finite: {', '.join(broken[:3])}" if broken else ""
        raise NonFiniteError(
            f"training ended with the mean loss {loss}{where}; nothing was saved. "
            "Lower learning_rate, or train in float32."
        )


def _checkpoint(
    arguments: TrainingArguments,
    recipe: Recipe,
    task: Task,
    dataset: Any,
    *,
    resume: bool,
) -> str | None:
    """Find the checkpoint to go on from, of this very recipe, task and data."""
    if str(getattr(arguments.save_strategy, "value", arguments.save_strategy)) == "no":
        return None
    folder = Path(arguments.output_dir)
    run_file = folder / RUN_FILE
    rows = [hash_example(dataset[i], task) for i in range(len(dataset))]
    run = {
        "recipe": recipe.fingerprint,
        "task": sha256_of(task.settings()),
        "data": sha256_of(rows),
    }
    last = get_last_checkpoint(str(folder)) if resume and folder.is_dir() else None
    if last is not None:
        before = json.loads(run_file.read_text()) if run_file.is_file() else {}
        changed = [key for key, value in run.items() if before.get(key) != value]
        if changed:
            raise OptionError(
                f"{folder} holds checkpoints of a training with another "
                f"{' and '.join(changed)}; give another folder, or resume=False to "
                "start over."
            )
    folder.mkdir(parents=True, exist_ok=True)
    run_file.write_text(canonical_json(run))
    return last


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw everything from a seed; put the caller's random state back afterwards.

    Args:
        seed: Of Python's, numpy's and torch's generators.
    """
    python, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            transformers.set_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)


class _TaskTrainer(Trainer):
    """A Trainer that takes the loss from a CallableTask, or weighs examples."""

    task: Task

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, **rest: Any
    ) -> Any:
        """Give the batch's loss."""
        if WEIGHTS in inputs:
            loss = weighted_loss(
                self.task, model, inputs, rest.get("num_items_in_batch")
            )
        elif isinstance(self.task, CallableTask) or draws(self.task):
            loss = self.task.losses(model, drawn(self.task, inputs)).mean()
        else:
            return super().compute_loss(
                model, inputs, return_outputs=return_outputs, **rest
            )
        return (loss, {}) if return_outputs else loss


class _Reporter(TrainerCallback):
    """Tell a function of every step."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._loss: float | None = None

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:  # noqa: ARG002
        """Remember the loss."""
        self._loss = (rest.get("logs") or {}).get("loss", self._loss)

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:  # noqa: ARG002
        """Tell of the step."""
        self._progress(state.global_step, state.max_steps, self._loss)
