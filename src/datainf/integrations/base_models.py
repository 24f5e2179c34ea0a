"""Load what an adapter is put on: a base model with the head of its task, a tokenizer.

A classifier on a plain encoder gets a new head, drawn from a seed, which is trained and
saved with the adapter: by PEFT itself for the task types that it knows. Anything else
that the checkpoint lacks would be drawn anew at every loading and saved nowhere: that
is refused, unless it is trained.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from datainf.core.errors import AdapterError, OptionError
from datainf.core.options import DeviceMap, Precision, word
from datainf.core.task_options import Processor
from datainf.integrations.diffusion.pipelines import load_pipeline, pristine
from datainf.integrations.precision import loading_options, settle
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.table import TASKS, TableTask
from datainf.integrations.tasks.text_to_image import TextToImage

SAVED_HEADS = tuple(
    dict.fromkeys(head for kind in TASKS.values() for head in kind.heads)
)
"""Heads that are trained and saved with the adapters of some task."""


def load_tokenizer(
    name: str, *, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a folder or from the hub.

    Args:
        name: The folder or hub name.
        trust_remote_code: Whether to run Python code that comes with it.

    Returns:
        The tokenizer.

    Raises:
        AdapterError: If there is none.
    """
    try:
        return AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)
    # A damaged file makes each tokenizer raise what it likes, bare `Exception` too.
    except Exception as error:
        raise AdapterError(not_loaded("tokenizer", name, error)) from error


def load_image_processor(name: str, *, trust_remote_code: bool = False) -> Any:
    """Load an image processor from a folder or from the hub.

    Args:
        name: The folder or hub name.
        trust_remote_code: Whether to run Python code that comes with it.

    Returns:
        The image processor.

    Raises:
        AdapterError: If there is none.
    """
    try:
        with quiet_loading():
            return AutoImageProcessor.from_pretrained(
                name, trust_remote_code=trust_remote_code
            )
    except Exception as error:
        raise AdapterError(not_loaded("image processor", name, error)) from error


def load_processor(
    kind: Processor, name: str, *, trust_remote_code: bool = False
) -> Any:
    """Load what brings examples to a model.

    Args:
        kind: What a task reads by.
        name: The folder or hub name.
        trust_remote_code: Whether to run Python code that comes with it.

    Returns:
        A tokenizer, an image processor or a pipeline.
    """
    return _PROCESSORS[kind](name, trust_remote_code=trust_remote_code)


_PROCESSORS: Mapping[Processor, Callable[..., Any]] = {
    Processor.TOKENIZER: load_tokenizer,
    Processor.IMAGES: load_image_processor,
    Processor.PIPELINE: load_pipeline,
}


def load_config(name: str, *, trust_remote_code: bool = False) -> PretrainedConfig:
    """Load a base model's configuration, from a folder or from the hub.

    Args:
        name: The folder or hub name.
        trust_remote_code: Whether to run Python code that comes with it.

    Returns:
        The configuration.

    Raises:
        AdapterError: If there is none.
    """
    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise AdapterError(not_loaded("model", name, error)) from error


def load_base(  # noqa: PLR0913 - how to load, by name
    name: str,
    task: TableTask,
    num_labels: int | None = None,
    *,
    seed: int = 0,
    trained: Sequence[str] = (),
    new_head: bool = True,
    precision: Precision | str = Precision.FLOAT32,
    device_map: DeviceMap | str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """Load a base model with the head that a task needs; of a pipeline its `Denoising`.

    Args:
        name: A folder or hub name.
        task: The task; a classifier without a padding token in its configuration is
            given the tokenizer's.
        num_labels: Classes of a new classification head; the task's own when None.
        seed: Draws the weights of a new head; `recipe.seed`.
        trained: Names of further modules that are trained and saved whole
            (`modules_to_save`), so that the checkpoint may lack them.
        new_head: Whether a classifier may get a new head, since it will be trained.
        precision: Number format of the weights.
        device_map: How it is split over the GPUs; it stays on the CPU when None.
        trust_remote_code: Whether to run Python code that comes with the model.

    Returns:
        The model, in eval mode.

    Raises:
        AdapterError: If there is no such model, the checkpoint lacks weights that
            nothing would train, or the GPUs together have no room for it.
        OptionError: If the number of classes is not known.
    """
    asked = word(Precision, precision, "precision")
    if isinstance(task, TextToImage):
        if device_map is not None:
            raise OptionError(
                f"device_map={str(device_map)!r} splits language models and "
                "classifiers; load the pipeline with a device_map of diffusers and "
                "give it to `datainf.attribute`."
            )
        return pristine(task.pipeline, name, asked, trust_remote_code=trust_remote_code)
    config = load_config(name, trust_remote_code=trust_remote_code)
    whole = (*task.heads, *trained)
    options = loading_options(asked, config, whole if task.heads else ())
    options |= _head(task, num_labels, new=new_head)
    if device_map is not None:
        options["device_map"] = str(device_map)
    kind = getattr(transformers, task.model_class)
    try:
        with quiet_loading(), torch.random.fork_rng():
            torch.manual_seed(seed)
            model, report = kind.from_pretrained(
                name,
                output_loading_info=True,
                trust_remote_code=trust_remote_code,
                **options,
            )
    # Nor are the errors of damaged weights any built-in one.
    except Exception as error:
        raise AdapterError(not_loaded("model", name, error)) from error
    _require_room(name, model)
    head = task.heads if new_head else ()
    saved = {*trained, *head}
    random = sorted(
        key for key in report["missing_keys"] if not saved & set(key.split("."))
    )
    if random:
        raise AdapterError(
            f"{name} lacks weights that {type(model).__name__} needs: "
            f"{', '.join(random[:4])}{', ...' if len(random) > 4 else ''}; they would "
            "be random at every loading. Train and save their modules with the adapter "
            "(modules_to_save in recipe.peft), or use a checkpoint that has them."
        )
    settle(model, whole)
    if isinstance(task, SequenceClassification):
        if model.config.pad_token_id is None:
            model.config.pad_token_id = task.pad_token_id
        if new_head:
            # Training goes by the model's own loss, which this entry chooses.
            model.config.problem_type = str(task.problem)
    return model.eval()


def _head(task: TableTask, num_labels: int | None, *, new: bool) -> dict[str, int]:
    """Say how many classes a head has, where there is one."""
    own = getattr(task, "num_labels", None)
    classes = own if num_labels is None else num_labels
    if not task.heads:
        return {}
    if classes is not None:
        return {"num_labels": classes}
    if new:
        raise OptionError(
            "a new classification head needs the number of classes; give "
            "task.num_labels or task.labels."
        )
    return {}


def _require_room(name: str, model: Any) -> None:
    """Refuse a split that puts part of a model outside of the GPUs there are."""
    places = getattr(model, "hf_device_map", {})
    outside = [part for part, place in places.items() if place in ("cpu", "disk")]
    if outside and torch.accelerator.is_available():
        raise AdapterError(
            f"the GPUs have no room for {len(outside)} of {len(places)} parts of "
            f"{name} (first {outside[0]!r}), whose weights would come and go for every "
            "batch; use more GPUs, or fewer bytes a weight (--precision bfloat16)."
        )


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep transformers' report of new and unused weights out of the user's sight.

    `load_base` judges the same report itself.
    """
    before = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def not_loaded(what: str, name: str, error: Exception) -> str:
    """Write why something cannot be loaded, and what to give instead.

    Args:
        what: Such as "model".
        name: The folder or hub name that was given.
        error: What the library said.

    Returns:
        The message.
    """
    if "trust_remote_code" in str(error):
        return (
            f"the {what} {name} comes with Python code, which runs only where you say "
            "so: read it, then give --trust-remote-code, or trust_remote_code: true in "
            "run.yaml."
        )
    if isinstance(error, UnpicklingError):
        return (
            f"the weights of the {what} {name} are a pickled file of more than "
            "tensors, which may run code and is not loaded; save it again, with "
            "safetensors."
        )
    return (
        f"the {what} {name} cannot be loaded: {reason_of(error)}. Give a folder that "
        "holds it (--model), or a hub name while the hub can be reached."
    )


def reason_of(error: Exception) -> str:
    """Take the first line in which an error says something, without its full stop.

    Args:
        error: Of a library; some write pages, or begin with an empty line.

    Returns:
        The line, or the error's kind where it says nothing.
    """
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__).rstrip(".:")
