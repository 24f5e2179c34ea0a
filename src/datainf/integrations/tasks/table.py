"""The tasks by name: what run.yaml and the command line choose from."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from torch import nn
from transformers import PreTrainedTokenizerBase

from datainf.core.errors import AdapterError, OptionError, near
from datainf.core.kinds import require_kinds
from datainf.core.task import Task
from datainf.core.task_options import Processor
from datainf.integrations.diffusion.pipelines import pipeline_fingerprint
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.images import processor_fingerprint
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.integrations.tasks.token_classification import TokenClassification
from datainf.integrations.tasks.tokens import tokenizer_fingerprint

TableTask = (
    SequenceClassification
    | CausalLM
    | Seq2Seq
    | TokenClassification
    | ImageClassification
    | TextToImage
)
"""A task of the table. Beside the methods of `Task` each one says, as class attributes,
its `name`, its PEFT `task_type`, the `model_class` of transformers or diffusers that it
is loaded with, the `main_input` of such models, and the `heads` that are trained and
saved whole.
"""

TASKS: Mapping[str, type[TableTask]] = {
    SequenceClassification.name: SequenceClassification,
    CausalLM.name: CausalLM,
    Seq2Seq.name: Seq2Seq,
    TokenClassification.name: TokenClassification,
    ImageClassification.name: ImageClassification,
    TextToImage.name: TextToImage,
}
_READ_BY: Mapping[str, Processor] = {
    "input_ids": Processor.TOKENIZER,
    "pixel_values": Processor.IMAGES,
    "latents": Processor.PIPELINE,
}
FINGERPRINTS: Mapping[Processor, Callable[[Any], Mapping[str, Any]]] = {
    Processor.TOKENIZER: tokenizer_fingerprint,
    Processor.IMAGES: processor_fingerprint,
    Processor.PIPELINE: pipeline_fingerprint,
}

# Endings of model class names, for bases without a PEFT task type.
_CLASS_ENDINGS: Mapping[str, str] = {
    "ForSequenceClassification": SequenceClassification.name,
    "ForCausalLM": CausalLM.name,
    "LMHeadModel": CausalLM.name,
    "ForTokenClassification": TokenClassification.name,
    "ForImageClassification": ImageClassification.name,
    "ForConditionalGeneration": Seq2Seq.name,
    "Denoising": TextToImage.name,
    "Pipeline": TextToImage.name,
}


def task_from_settings(
    settings: Mapping[str, Any], processor: PreTrainedTokenizerBase | Any
) -> TableTask:
    """Build a task from run.yaml's `task:` or from what `Task.settings` gave.

    Args:
        settings: `name` and any of the task's options. A `tokenizer` or `processor`
            entry must be the fingerprint of the one given here.
        processor: The tokenizer, image processor or pipeline.

    Returns:
        The task.

    Raises:
        OptionError: If the name or an option is unknown, an option of the wrong kind,
            or the processor another one.
    """
    given = dict(settings)
    name = given.pop("name", None)
    if name not in TASKS:
        raise OptionError(f"task.name={name!r} is unknown: {near(str(name), TASKS)}.")
    kind = TASKS[name]
    first, *known = (f.name for f in fields(kind))
    recorded = given.pop(first, None)
    if recorded is not None:
        _require_same(first, recorded, FINGERPRINTS[reads_by(name)](processor))
    for key in given:
        if key not in known:
            raise OptionError(f"task.{key} is unknown: {near(str(key), known)}.")
    require_kinds(given, kind, "task.")
    return kind(processor, **given)


def reads_by(name: object) -> Processor:
    """Tell what brings a task's examples to its model.

    Args:
        name: Of the task; an unknown one is refused where the task is built.

    Returns:
        The kind of processor.
    """
    kind = TASKS.get(str(name))
    return Processor.TOKENIZER if kind is None else _READ_BY[kind.main_input]


def infer_task_name(source: str | type | nn.Module) -> str:
    """Tell the task from a PEFT task type or from a model.

    Args:
        source: A PEFT task type (`"SEQ_CLS"`), a model class or its name
            (`"LlamaForCausalLM"`), or a model.

    Returns:
        A key of `TASKS`.

    Raises:
        OptionError: If it belongs to none of them.

    Examples:
        >>> infer_task_name("SEQ_CLS")
        'sequence-classification'
    """
    owner = source if isinstance(source, (str, type)) else type(source)
    name = (
        owner.__name__
        if isinstance(owner, type)
        else str(getattr(owner, "value", owner))
    )
    for task_name, task in TASKS.items():
        if task.task_type == name:
            return task_name
    for ending, task_name in _CLASS_ENDINGS.items():
        if name.endswith(ending):
            return task_name
    raise OptionError(
        f"no task is known for {name}; give the task by name: {', '.join(TASKS)}."
    )


def require_task_fits(
    task: Task, task_type: str | None, model: nn.Module | None = None
) -> None:
    """Refuse an adapter that was trained for another kind of task.

    Args:
        task: The task asked for.
        task_type: The adapter's PEFT task type; None, where the adapter does not say,
            passes. Tasks on images need None: PEFT has no type for them.
        model: The adapter's model, which reads tokens or pixels.

    Raises:
        AdapterError: If the two differ.
    """
    own = getattr(task, "task_type", None)
    given = None if task_type is None else str(getattr(task_type, "value", task_type))
    _require_input(task, model)
    typed = own is not None or isinstance(task, ImageClassification | TextToImage)
    if not typed or given is None or own == given:
        return
    fitting = [name for name, kind in TASKS.items() if kind.task_type == given]
    advice = f"use the task {fitting[0]}" if fitting else "give a loss of your own"
    raise AdapterError(
        f"the adapter was trained for {given}, the task {task.settings()['name']} "
        f"needs {own or 'one without a task type'}; {advice}."
    )


def _require_input(task: Task, model: nn.Module | None) -> None:
    """Refuse tokens for a model that reads pixels, and the other way about."""
    wanted = getattr(task, "main_input", None)
    own = getattr(model, "main_input_name", None)
    known = {kind.main_input for kind in TASKS.values()}
    if wanted is None or own not in known or own == wanted:
        return
    name = task.settings()["name"]
    raise AdapterError(
        f"the task {name} makes {wanted}, and the model reads {own}; use the task "
        "that the adapter was trained for."
    )


def as_task(given: object) -> Task:
    """Make a task of what the user passed.

    Args:
        given: A task, or a function `(model, batch) -> [B]`.

    Returns:
        The task itself, or a `CallableTask` around the function.

    Raises:
        OptionError: If it is neither.
    """
    # A class has the methods of a task too, but no values.
    if not isinstance(given, type):
        if isinstance(given, Task):
            return given
        if callable(given):
            return CallableTask(given)
    raise OptionError(
        "task must be a task such as CausalLM(tokenizer), or a function "
        f"(model, batch) -> one loss an example, got {given!r}."
    )


def _require_same(
    what: str, recorded: Mapping[str, Any], own: Mapping[str, Any]
) -> None:
    """Refuse a tokenizer, image processor or pipeline other than was recorded."""
    changed = [key for key in own if recorded.get(key) != own[key]]
    if changed:
        raise OptionError(
            f"task.{what} was recorded for another {what}: {', '.join(changed)} "
            f"differ; use the {what} of that run, or take the entry out."
        )
