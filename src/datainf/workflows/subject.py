"""From the adapter of run.yaml to a model and its task."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from datainf.core.errors import OptionError
from datainf.core.launch import Launch
from datainf.core.run_config import RunConfig
from datainf.core.task import Task
from datainf.integrations.adapters import load_adapter
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.table import (
    TASKS,
    infer_task_name,
    require_task_fits,
    task_from_settings,
)
from datainf.workflows.data import text_columns_of, with_problem


@dataclass(frozen=True)
class Subject:
    """The model that is asked about.

    Attributes:
        model: The PEFT model.
        tokenizer: Its tokenizer, image processor or pipeline.
        task: What the loss of an example is.
    """

    model: nn.Module
    tokenizer: Any
    task: Task


def load_subject(config: RunConfig) -> Subject:
    """Load the adapter on its base, and make the task.

    Args:
        config: `adapter`, `model`, `task` and how to load them are used.

    Returns:
        Model, tokenizer and task.

    Raises:
        OptionError: If no adapter is named, or several processes of one machine would
            each take all of its GPUs.
    """
    if config.adapter is None:
        raise OptionError(
            "no adapter given; name its folder with --adapter, or as `adapter:` in "
            "run.yaml."
        )
    if config.device_map is not None and Launch.read().local_ranks > 1:
        raise OptionError(
            f"device_map={str(config.device_map)!r} splits one model over all GPUs of "
            f"a machine, and {Launch.read().local_ranks} processes were started on "
            "this one; start one a machine (--nproc-per-node 1), or leave it out."
        )
    settings = dict(config.task)
    model, processor = load_adapter(
        config.adapter,
        base=config.model,
        task_name=settings.get("name"),
        precision=config.precision,
        device_map=config.device_map,
        trust_remote_code=config.trust_remote_code,
    )
    task_type = adapter_of(model).task_type
    if "name" not in settings:
        settings["name"] = infer_task_name(task_type or _kind_of(model))
    base: Any = getattr(model, "config", None)
    settings = with_problem(settings, base)
    kind = TASKS.get(settings["name"])
    if kind is not None and kind.heads and not settings.get("labels"):
        classes = getattr(base, "num_labels", None)
        settings["num_labels"] = settings.get("num_labels") or classes
    if settings.get("problem") is not None:
        # What the adapter's head predicts need not be what its base was made for.
        base.problem_type = str(settings["problem"])
    task = task_from_settings(text_columns_of(settings), processor)
    require_task_fits(task, task_type, model)
    return Subject(model, processor, task)


def _kind_of(model: Any) -> type:
    """Give the class of a model under its adapter."""
    return type(getattr(model, "get_base_model", lambda: model)())
