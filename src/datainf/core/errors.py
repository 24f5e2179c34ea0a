"""Everything `datainf` raises on purpose.

    DatainfError
    ├── OptionError      (ValueError)       a wrong argument, flag or run.yaml key
    ├── DataError        (ValueError)       examples that cannot be used as they are
    ├── AdapterError     (ValueError)       a model or adapter that cannot be attributed
    ├── StoreError       (OSError)          a gradient store or scores folder refused
    │   └── StoreBusyError                  another process is writing it
    ├── NonFiniteError   (ArithmeticError)  NaN or infinity where a number is needed
    ├── MemoryLimitError (MemoryError)      one example alone does not fit
    └── RankError        (RuntimeError)     another process of the run failed

Each class also inherits the built-in that a caller would expect, so `except ValueError`
works. A message says what came, what was expected and what to do.
"""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path


class DatainfError(Exception):
    """Base of every error that `datainf` raises on purpose."""


class OptionError(DatainfError, ValueError):
    """A wrong argument, option, command-line flag or `run.yaml` key."""


class DataError(DatainfError, ValueError):
    """Examples that cannot be used: a missing column, a bad label, an empty set."""


class AdapterError(DatainfError, ValueError):
    """A model or adapter that cannot be attributed as asked."""


class StoreError(DatainfError, OSError):
    """A gradient store or scores folder that is foreign, altered or incomplete."""


class StoreBusyError(StoreError):
    """Another process is writing this store."""


class NonFiniteError(DatainfError, ArithmeticError):
    """NaN or infinity where a number is needed.

    Attributes:
        rows: Row of what was given -> which number of it, where that is known.
    """

    def __init__(self, message: str, rows: Mapping[int, str] | None = None) -> None:
        """Take what is wrong, and with which rows."""
        super().__init__(message)
        self.rows = dict(rows or {})


class MemoryLimitError(DatainfError, MemoryError):
    """One example alone does not fit into memory."""


class RankError(DatainfError, RuntimeError):
    """Another process of a run over several failed, is lost, or never came.

    Attributes:
        told: Whether the process that leads tells of it, so that this one need not.
    """

    def __init__(self, message: str, *, told: bool = False) -> None:
        """Take what is wrong, and whether somebody else says so."""
        super().__init__(message)
        self.told = told


class DatainfWarning(UserWarning):
    """Something works, but not as well or as fast as the user may expect."""


def near(given: str, known: Iterable[str]) -> str:
    """Write the closing words of a message about an unknown name.

    Args:
        given: The name that came.
        known: The names that exist.

    Returns:
        `"expected one of: a, b"`, followed by `"; did you mean 'b'?"` where one is
        close.

    Examples:
        >>> near("datinf", ["dot", "datainf"])
        "expected one of: dot, datainf; did you mean 'datainf'?"
    """
    names = [str(name) for name in known]
    listed = f"expected one of: {', '.join(names)}"
    close = difflib.get_close_matches(str(given), names, n=1)
    return f"{listed}; did you mean '{close[0]}'?" if close else listed


def near_path(given: Path) -> str:
    """Write the closing words of a message about a file or folder that is not there.

    Args:
        given: The path that came.

    Returns:
        `"; did you mean runs/first?"` where something beside it is called alike;
        nothing otherwise.
    """
    try:
        names = sorted(path.name for path in given.parent.iterdir())
    except OSError:
        return ""
    close = difflib.get_close_matches(given.name, names, n=1)
    return f"; did you mean {given.parent / close[0]}?" if close else ""


def require_options(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that nobody has.

    Args:
        given: The names that came.
        known: The names that exist.

    Raises:
        OptionError: At the first unknown one; names the near one.
    """
    names = list(known)
    for name in given:
        if name not in names:
            raise OptionError(f"option {name!r} is unknown: {near(name, names)}.")
