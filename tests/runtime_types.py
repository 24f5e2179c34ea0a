"""The runtime type checker of the tests: beartype, with an int where a float is asked.

Python's own rule (PEP 484) accepts `damping=1` for a float; beartype does when told.
Options take what a user or a YAML file gives and refuse it in words of their own, which
the tests must be able to see.

To check shapes costs more than most of what it checks. So a function without any is
left to beartype alone, and each test sees one with shapes checked in its first calls:
the thousandth step of a solver has the shapes of the first.
"""

import dataclasses
import functools
import inspect
from collections import Counter
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

MOST = 10
"""Calls of one function whose shapes are checked within one test."""

_OWN_CHECKS = {"datainf.core.options", "datainf.core.run_config"}
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=TypeError))
_jaxtyped = jaxtyping.jaxtyped
_calls: Counter[Any] = Counter()


def checked(thing: Any) -> Any:
    """Check calls of a function at run time, unless it checks what it is given."""
    return thing if thing.__module__ in _OWN_CHECKS else _beartype(thing)


def begin() -> None:
    """Check the shapes of every function anew: another test begins."""
    _calls.clear()


def first_calls(function: Any, checks: Any) -> Any:
    """Call a function with checks at first, and without them from then on."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        _calls[function] += 1
        now = checks if _calls[function] <= MOST else function
        return now(*args, **kwargs)

    return called


def sparing(*, typechecker: Any) -> Any:
    """Stand in for `jaxtyping.jaxtyped`, which its import hook puts on everything."""

    def decorate(thing: Any) -> Any:
        if isinstance(thing, type):
            if dataclasses.is_dataclass(thing):
                thing.__init__ = decorate(thing.__init__)  # type: ignore[method-assign]
            return thing
        if not _has_shapes(thing):
            return typechecker(thing)
        return first_calls(thing, _jaxtyped(thing, typechecker=typechecker))

    return decorate


def _has_shapes(function: Any) -> bool:
    """Tell whether an annotation has a shape; a name in quotes may stand for one."""
    hints = inspect.get_annotations(function).values()
    return any("jaxtyping" in repr(h) or isinstance(h, str) for h in hints)


jaxtyping.jaxtyped = sparing  # type: ignore[assignment]
