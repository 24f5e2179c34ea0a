"""The words that a flag's value can be, for the Tab key.

Only flags whose values can be counted stand here; of all others the shell completes
file names. The lists that need torch are imported when they are asked for.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from datainf.core.options import (
    Blocks,
    DeviceMap,
    Fisher,
    Normalize,
    OnNonfinite,
    Order,
    Output,
    Parameters,
    Precision,
)
from datainf.core.store_dtype import StoreDtype


def _words(kind: type[StrEnum]) -> Callable[[], Iterable[str]]:
    return lambda: [str(word) for word in kind]


def _methods() -> Iterable[str]:
    from datainf.estimators.table import METHODS

    return METHODS


def _formats() -> Iterable[str]:
    from datainf.cli.output import Format  # which reads flags itself

    return Format


def _tasks() -> Iterable[str]:
    from datainf.integrations.tasks.table import TASKS

    return TASKS


FLAG_VALUES: Mapping[str, Callable[[], Iterable[str]]] = {
    "method": _methods,
    "task": _tasks,
    "blocks": _words(Blocks),
    "device_map": _words(DeviceMap),
    "fisher": _words(Fisher),
    "normalize": _words(Normalize),
    "on_nonfinite": _words(OnNonfinite),
    "order": _words(Order),
    "output": _words(Output),
    "parameters": _words(Parameters),
    "precision": _words(Precision),
    "dtype": _words(StoreDtype),
    "format": _formats,
    "preset": lambda: ("small", "paper", "full"),
}


def complete(name: str) -> Callable[[str], list[str]] | None:
    """Make what completes a flag's value.

    Args:
        name: The flag.

    Returns:
        From the beginning of a value to the values that begin so; None where they
        cannot be counted.

    Examples:
        >>> complete("order")("pro")
        ['proponents']
        >>> complete("out")
    """
    values = FLAG_VALUES.get(name)
    if values is None:
        return None
    # Its parameter must have this name: typer looks at it.
    return lambda incomplete: [w for w in values() if w.startswith(incomplete)]
