"""Check the kinds of run.yaml's values before they are used.

YAML turns what it reads into numbers, texts, lists; a value of the wrong kind is told
by its key, rather than by what fails on it later.
"""

from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from datainf.core.errors import OptionError
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig

_SECTIONS: Mapping[str, type] = {
    "train": DataConfig,
    "queries": DataConfig,
    "collect": CollectOptions,
    "score": ScoreOptions,
    "recipe": Recipe,
}


def check_kinds(values: Mapping[str, Any]) -> None:
    """Refuse values of the wrong kind.

    Args:
        values: What run.yaml holds. Unknown keys are left to `RunConfig.from_dict`.

    Raises:
        OptionError: If there is one; names its key.
    """
    for key, value in values.items():
        if key in _SECTIONS:
            if value is None:
                continue
            if not isinstance(value, Mapping):
                raise OptionError(
                    f"run.yaml: {key} must hold a mapping of options, got {value!r}."
                )
            _check(value, _SECTIONS[key], f"{key}.")
        elif isinstance(key, str):
            _check({key: value}, RunConfig, "")


def _check(values: Mapping[str, Any], owner: type, where: str) -> None:
    hints = get_type_hints(owner)
    known = {f.name for f in fields(owner)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key in known and not _fits(value, hints[key]):
            raise OptionError(
                f"run.yaml: {where}{key} must be {_said(hints[key])}, got {value!r}."
            )


def _options(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, UnionType):
        return get_args(hint)
    return (hint,)


def _fits(value: object, hint: Any) -> bool:
    for option in _options(hint):
        kind = get_origin(option) or option
        if kind is float and type(value) is int:
            return True
        if kind is int and isinstance(value, bool):
            continue
        # Words of an option come as texts; which words there are is checked later.
        if isinstance(value, str) and issubclass(kind, str):
            return True
        if isinstance(value, kind):
            return True
    return False


def _said(hint: Any) -> str:
    names = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
    }
    found = []
    for option in _options(hint):
        kind = get_origin(option) or option
        if kind is type(None):
            continue
        if kind in names:
            found.append(names[kind])
        elif issubclass(kind, str):
            found.append("a text")
        else:
            found.append("a mapping")
    return " or ".join(found)
