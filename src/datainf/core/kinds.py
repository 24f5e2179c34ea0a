"""Check that values from outside are of the kinds that a dataclass is annotated with.

YAML reads `model: 7` as a number and `text: no` as false; such a value is told by its
key, rather than by what fails on it later, or is taken for true.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from datainf.core.errors import OptionError

_SAID: Mapping[type, str] = {
    str: "a text; put it in quotes",
    bool: "true or false",
    int: "a whole number",
    Mapping: "a mapping",
    dict: "a mapping",
}


def require_kinds(
    values: Mapping[str, Any], owner: type, where: str, *, but: Collection[type] = ()
) -> None:
    """Refuse a value of another kind than its field's.

    Args:
        values: Values by the names of fields; other names are left to the caller.
        owner: The dataclass. Texts, booleans, integers and mappings are checked, by the
            first kind of an annotation; fields of any other kind are not.
        where: Stands before the name in the message, such as `task.`.
        but: Kinds that are not checked.

    Raises:
        OptionError: If a value is of the wrong kind; the message names its key.

    Examples:
        >>> from dataclasses import make_dataclass
        >>> owner = make_dataclass("Options", [("count", int)])
        >>> require_kinds({"count": 2.5}, owner, "my.")
        Traceback (most recent call last):
        ...
        datainf.core.errors.OptionError: my.count must be a whole number, got 2.5.
    """
    hints = get_type_hints(owner)
    known = {f.name for f in fields(owner)}
    for key, value in values.items():
        if key not in known:
            continue
        optional, kind = _kind(hints[key])
        if kind not in _SAID or kind in but or (optional and value is None):
            continue
        # To Python true is the number 1; to whoever writes it, it is none.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise OptionError(f"{where}{key} must be {_SAID[kind]}, got {value!r}.")


def _kind(hint: Any) -> tuple[bool, Any]:
    """Take an annotation apart: whether None is allowed, and what else."""
    union = get_origin(hint) in (Union, UnionType)
    options = get_args(hint) if union else (hint,)
    kinds = [get_origin(one) or one for one in options if one is not type(None)]
    return union and len(kinds) < len(options), kinds[0]
