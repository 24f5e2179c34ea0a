"""What is frozen, as one JSON value: options, words, formats, protocols, calls.

`python -m tests.golden.make_golden` writes it beside this file. A change of it is a
change of a contract: golden file, design and documentation change in the same commit.
"""

import dataclasses
import inspect
from enum import StrEnum
from typing import Any

import datainf
from datainf.core import options, records, run_config
from datainf.core.clean_options import CleanOptions, SelectOptions
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.records import Provenance, Scores
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.source import GradientSource, RowBlock
from datainf.core.task import Task, TokenTask
from datainf.estimators.base import Estimator, State
from datainf.estimators.table import METHODS
from datainf.integrations.tasks.table import TASKS
from datainf.store import manifest

VALUES = (
    CollectOptions,
    ScoreOptions,
    DataConfig,
    RunConfig,
    Recipe,
    RowBlock,
    State,
    Scores,
    Provenance,
    CleanOptions,
    SelectOptions,
)
PROTOCOLS = (Task, TokenTask, GradientSource, Estimator)
CALLS = (
    "collect",
    "open_store",
    "score",
    "search",
    "influence",
    "attribute",
    "report",
    "train",
    "token_scores",
    "clean",
    "select",
    "InfluenceCallback",
)


def frozen() -> dict[str, Any]:
    """Describe every contract by names and defaults."""
    words = {
        name: [member.value for member in kind]
        for name, kind in vars(options).items()
        if inspect.isclass(kind) and issubclass(kind, StrEnum) and kind is not StrEnum
    }
    return {
        "formats": {
            "store": manifest.FORMAT_VERSION,
            "scores": records.SCORES_FORMAT,
            "run.yaml": run_config.RUN_FORMAT,
        },
        "words": words,
        "values": {kind.__name__: _fields(kind) for kind in VALUES},
        "protocols": {kind.__name__: _methods(kind) for kind in PROTOCOLS},
        "methods": {name: _fields(entry.cls) for name, entry in METHODS.items()},
        "tasks": {name: _fields(kind) for name, kind in TASKS.items()},
        "calls": {name: _parameters(getattr(datainf, name)) for name in CALLS},
        "top": _parameters(Scores.top),
        "by_group": _parameters(Scores.by_group),
    }


def _fields(kind: Any) -> dict[str, str]:
    return {f.name: _default(f) for f in dataclasses.fields(kind)}


def _default(field: Any) -> str:
    if field.default is not dataclasses.MISSING:
        return _plain(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return f"{getattr(field.default_factory, '__name__', 'made')}()"
    return "required"


def _methods(kind: type) -> dict[str, list[str]]:
    return {
        name: _parameters(member)
        for name, member in vars(kind).items()
        if not name.startswith("_") and inspect.isfunction(member)
    }


def _parameters(function: Any) -> list[str]:
    return [
        f"{parameter.kind.description}: {parameter.name}"
        + (
            ""
            if parameter.default is inspect.Parameter.empty
            else f" = {_plain(parameter.default)}"
        )
        for parameter in inspect.signature(function).parameters.values()
    ]


def _plain(value: object) -> str:
    return repr(str(value)) if isinstance(value, StrEnum) else repr(value)
