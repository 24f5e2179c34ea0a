"""run.yaml on disk: read, merge, write. Its keys are described in `core.run_config`.

Layers, the later winning: the run.yaml that `datainf train` left beside the adapter
(base model, its precision, training data, task, recipe only), the run.yaml that was
given, the flags. Paths are kept as they were written.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from datainf.__about__ import __version__
from datainf.core.durable import write_durably
from datainf.core.errors import OptionError
from datainf.core.run_config import RunConfig
from datainf.workflows.run_check import check_kinds

RUN_FILE = "run.yaml"
# What an adapter's own run.yaml tells about the adapter, rather than about that run.
_OF_THE_ADAPTER = ("model", "precision", "task", "train", "recipe")
# The key of a section that says what its other keys speak of.
_SUBJECT_OF = {"train": "data", "queries": "data", "curvature": "data", "task": "name"}


def read_values(path: str | Path) -> dict[str, Any]:
    """Read a run.yaml as plain values, unchecked.

    Args:
        path: The file, or a folder that holds a run.yaml.

    Returns:
        Its mapping.

    Raises:
        OptionError: If there is no such file, or it is no YAML mapping.
    """
    file = Path(path)
    file = file / RUN_FILE if file.is_dir() else file
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise OptionError(
            f"{file} cannot be read: {reason}; expected a run.yaml as runs write it."
        ) from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise OptionError(f"{file} is no valid YAML{where}: {problem}.") from error
    if not isinstance(values, Mapping):
        raise OptionError(
            f"{file} must hold a mapping such as `model: NAME`, "
            f"got {type(values).__name__}."
        )
    return dict(values)


def read_run(path: str | Path) -> RunConfig:
    """Read a run.

    Args:
        path: The file, or a folder that holds a run.yaml.

    Returns:
        The run, checked.
    """
    values = read_values(path)
    check_kinds(values)
    return RunConfig.from_dict(values)


def write_run(config: RunConfig, path: str | Path) -> Path:
    """Write the run.yaml that replays a run.

    Args:
        config: The run.
        path: A folder, made if need be, or a file whose name ends in `.yaml`.

    Returns:
        The file.
    """
    file = Path(path)
    file = file if file.suffix == ".yaml" else file / RUN_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    values = config.to_dict(__version__)
    text = _dump(values, escaped=False)
    if yaml.safe_load(text) != values:
        # Unicode has line breaks of its own, which YAML keeps only when escaped.
        text = _dump(values, escaped=True)
    # It may be the very file that the run was read from: never left in part.
    write_durably(file, [text.encode()])
    return file


def _dump(values: Mapping[str, Any], *, escaped: bool) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=not escaped, width=88)


def merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another, mapping by mapping.

    Args:
        lower: Values that give way.
        upper: Values that win.

    Returns:
        Both together. Where `upper` names other training or query data, nothing of the
        lower data section is kept: its flips, truth and limit belong to its own file.
        Likewise the settings of a task belong to the task of their name.

    Examples:
        >>> merged({"score": {"method": "dot"}, "out": "a"}, {"score": {"damping": 1}})
        {'score': {'method': 'dot', 'damping': 1}, 'out': 'a'}
    """
    both = dict(lower)
    for key, value in upper.items():
        below = both.get(key)
        if (
            isinstance(value, Mapping)
            and isinstance(below, Mapping)
            and not _replaces(value, below, _SUBJECT_OF.get(key))
        ):
            both[key] = merged(below, value)
        else:
            both[key] = value
    return both


def _replaces(
    upper: Mapping[str, Any], lower: Mapping[str, Any], subject: str | None
) -> bool:
    """Say whether a section speaks of something else than the one below it."""
    return subject is not None and upper.get(subject, lower.get(subject)) != lower.get(
        subject
    )


def beside_adapter(adapter: str | None) -> dict[str, Any]:
    """Read what `datainf train` wrote beside an adapter.

    Args:
        adapter: The adapter's folder, or a hub name.

    Returns:
        Base model, its precision, task, training data and recipe; empty where there is
        no run.yaml.
    """
    if adapter is None or not (Path(adapter) / RUN_FILE).is_file():
        return {}
    values = read_values(adapter)
    return {key: values[key] for key in _OF_THE_ADAPTER if key in values}


def resolve(
    flags: Mapping[str, Any], run: str | Path | None = None, *, adapted: bool = True
) -> RunConfig:
    """Put the layers of a run together.

    Args:
        flags: What the command line said, keyed as in run.yaml.
        run: A run.yaml, if one was given.
        adapted: Whether to read the run.yaml beside the adapter too.

    Returns:
        The run, checked.
    """
    given = merged(read_values(run) if run is not None else {}, flags)
    # A file that a run wrote says all there is, what it left at None included.
    adapted = adapted and "datainf" not in given
    below = beside_adapter(given.get("adapter")) if adapted else {}
    values = merged(below, given)
    check_kinds(values)
    return RunConfig.from_dict(values)
