"""From flags to a run: the layers put together, the repeatable flags taken apart."""

from typing import Any

from datainf.cli.flags import Given, pairs
from datainf.core.errors import OptionError
from datainf.core.run_config import RunConfig


def config_of(
    given: Given, *, adapted: bool = True, out: str | None = None
) -> RunConfig:
    """Make the run that the user asked for.

    Args:
        given: Flags and perhaps a run.yaml.
        adapted: Whether the run.yaml beside the adapter counts too.
        out: The command's own folder where nothing else names one.

    Returns:
        The run, checked.
    """
    from datainf.workflows.run_file import merged, read_values, resolve

    values = given.run_values()
    task = {
        **pairs(given["task_option"], "--task-option", "append_eos=false"),
        **values.get("task", {}),
    }
    columns = pairs(given["column"], "--column", "prompt=question", read=str)
    if columns:
        task["columns"] = columns
    if given["text_column"]:
        task["text_columns"] = given["text_column"]
    if task:
        values["task"] = task
    options = pairs(given["option"], "--option", "steps=50")
    if options:
        values.setdefault("score", {})["options"] = options
    if given["recipe"] is not None:
        below = {"recipe": _recipe(read_values(given["recipe"]), given["recipe"])}
        values = merged(below, values)
    if given.argument is None and out is not None:
        values.setdefault("out", out)
    return resolve(values, given.argument, adapted=adapted)


def _recipe(values: dict[str, Any], path: str) -> dict[str, Any]:
    """Take the recipe out of a run.yaml, or a recipe file as it is."""
    recipe = values.get("recipe", values)
    if not isinstance(recipe, dict):
        raise OptionError(f"{path}: recipe must be a mapping, got {recipe!r}.")
    return recipe
