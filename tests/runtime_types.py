"""The runtime type checker of the tests: beartype, with an int where a float is asked.

Python's own rule (PEP 484) accepts `damping=1` for a float; beartype does when told.
Options take what a user or a YAML file gives and refuse it in words of their own, which
the tests must be able to see.
"""

from typing import Any

from beartype import BeartypeConf, beartype

_OWN_CHECKS = {"datainf.core.options", "datainf.core.run_config"}
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(thing: Any) -> Any:
    """Check calls of a function at run time, unless it checks what it is given."""
    return thing if thing.__module__ in _OWN_CHECKS else _beartype(thing)
