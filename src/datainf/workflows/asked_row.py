"""One question of the command line as a row of the training data's own shape.

A conversation goes through the chat template, two texts do not: the same words in
another shape are other tokens than those that were learnt.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datainf.core.errors import DataError
from datainf.core.run_config import RunConfig
from datainf.integrations.examples import load_examples
from datainf.integrations.tasks.chat import checked_messages
from datainf.integrations.tasks.rows import shape_of


def asked_row(config: RunConfig, prompt: str, completion: str) -> dict[str, Any]:
    """Write a prompt and its output as the training data write theirs.

    Args:
        config: `train` and the task's `columns` are used.
        prompt: What the model was given.
        completion: What it answered.

    Returns:
        A conversation where the training rows are conversations, with the system's
        message of the first of them; two texts otherwise.

    Examples:
        >>> asked_row(RunConfig(), "2 + 2 = ", "4")
        {'prompt': '2 + 2 = ', 'completion': '4'}
    """
    names: dict[str, str] = dict(config.task.get("columns") or {})
    prompts, completions, talk = (
        names.get(name, name) for name in ("prompt", "completion", "messages")
    )
    shape, first = _first_row(config, names)
    if shape == "messages":
        user, assistant = _turns(first[talk], prompt, completion)
        return {talk: [*user, *assistant]}
    if shape == "prompt-completion" and not isinstance(first[prompts], str):
        user, assistant = _turns(first[prompts], prompt, completion)
        return {prompts: user, completions: assistant}
    return {prompts: prompt, completions: completion}


def _first_row(
    config: RunConfig, names: Mapping[str, str]
) -> tuple[str, Mapping[str, Any]]:
    """Give the training data's shape and first row; of faults the run itself tells."""
    if config.train is None or not config.train.data:
        return "", {}
    try:
        first = load_examples(replace(config.train, limit=1))[0]
        return shape_of(first, names), first
    except DataError:
        return "", {}


def _turns(
    talk: Any, prompt: str, completion: str
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Write what is said before the answer, and the answer."""
    before = [{"role": "user", "content": prompt}]
    try:
        opening = checked_messages(talk, "messages")[0]
    except DataError:
        opening = {}  # the run itself tells
    if opening.get("role") == "system" and isinstance(opening.get("content"), str):
        before.insert(0, {"role": "system", "content": opening["content"]})
    return before, [{"role": "assistant", "content": completion}]
