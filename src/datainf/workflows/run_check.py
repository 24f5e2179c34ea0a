"""Check that run.yaml's texts are texts, its switches switches, its mappings mappings.

YAML reads `model: 7` as a number and `text: no` as false; such a value is told by its
key, rather than by what fails on it later. Numbers are checked where they are used.
"""

from collections.abc import Mapping
from typing import Any

from datainf.core.evaluate_options import EvaluateOptions
from datainf.core.kinds import require_kinds
from datainf.core.options import CollectOptions, ScoreOptions
from datainf.core.recipe import Recipe
from datainf.core.run_config import DataConfig, RunConfig

_SECTIONS: Mapping[str, type] = {
    "train": DataConfig,
    "queries": DataConfig,
    "curvature": DataConfig,
    "collect": CollectOptions,
    "score": ScoreOptions,
    "recipe": Recipe,
    "evaluate": EvaluateOptions,
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
            require_kinds({key: value}, RunConfig, "run.yaml: ", but=[int])
        elif isinstance(value, Mapping):
            require_kinds(value, _SECTIONS[key], f"run.yaml: {key}.", but=[int])
