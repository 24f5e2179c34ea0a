"""Values are held against the annotations of a dataclass."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from datainf.core.errors import OptionError
from datainf.core.kinds import require_kinds


@dataclass
class Options:
    """One field of each kind."""

    text: str = ""
    switch: bool = False
    count: int | None = None
    table: Mapping[str, int] = field(default_factory=dict)
    names: Sequence[str] = ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("text", 3, "a text; put it in quotes"),
        ("text", None, "a text; put it in quotes"),
        ("switch", "nope", "true or false"),
        ("switch", 1, "true or false"),
        ("count", 3.5, "a whole number"),
        ("count", True, "a whole number"),
        ("table", 3, "a mapping"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_key(key, value, said):
    message = f"my.{key} must be {said}, got {value!r}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        require_kinds({key: value}, Options, "my.")


def test_right_kinds_other_kinds_and_unknown_names_pass():
    right = {"text": "a", "switch": True, "count": None, "table": {}}
    require_kinds({**right, "names": 3, "other": 3}, Options, "my.")
    require_kinds({"count": 3}, Options, "my.")


def test_kinds_can_be_left_out():
    require_kinds({"count": "many"}, Options, "my.", but=[int])
