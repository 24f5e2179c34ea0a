"""Check that run.yaml's texts are texts, its switches switches, its mappings mappings.

YAML reads `model: 7` as a number and `text: no` as false; such a value is told by its
key, rather than by what fails on it later. Numbers are checked where they are used.
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
_SAID: Mapping[type, str] = {
    str: "a text; put it in quotes",
    bool: "true or false",
    Mapping: "a mapping",
    dict: "a mapping",
}


def check_kinds(values: Mapping[str, Any]) -> None:
    """Refuse values of the wrong kind.

    Args:
        values: What run.yaml holds. Unknown keys and sections that are no mappings are
            left to `RunConfig.from_dict`.
    """
    for key, value in values.items():
        if value is None:  # a key with nothing after it is one that is not there
            continue
        if key not in _SECTIONS:
            _check({key: value}, RunConfig, "")
        elif isinstance(value, Mapping):
            _check(value, _SECTIONS[key], f"{key}.")


def _check(values: Mapping[str, Any], owner: type, where: str) -> None:
    """Compare values with the annotations of the options' class."""
    hints = get_type_hints(owner)
    known = {f.name for f in fields(owner)}
    for key, value in values.items():
        if key not in known:
            continue
        optional, kind = _kind(hints[key])
        if kind not in _SAID or (optional and value is None):
            continue
        if not isinstance(value, kind):
            raise OptionError(
                f"run.yaml: {where}{key} must be {_SAID[kind]}, got {value!r}."
            )


def _kind(hint: Any) -> tuple[bool, Any]:
    """Take an annotation apart: whether None is allowed, and what else."""
    union = get_origin(hint) in (Union, UnionType)
    options = get_args(hint) if union else (hint,)
    kinds = [get_origin(one) or one for one in options if one is not type(None)]
    return union and len(kinds) < len(options), kinds[0]
