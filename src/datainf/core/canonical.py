"""One way to write a value as bytes, so that equal values have equal hashes."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Write a JSON value with sorted keys, two-space indent and a final newline.

    Args:
        value: Dictionaries with string keys, lists, strings, numbers, booleans, None.

    Returns:
        ASCII text that is the same for equal values.

    Raises:
        ValueError: If the value holds NaN or infinity.
    """
    return json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n"


def sha256_of(value: Any) -> str:
    """Hash a JSON value by its canonical text.

    Args:
        value: As for `canonical_json`.

    Returns:
        64 hexadecimal digits.

    Examples:
        >>> sha256_of({"b": 1, "a": 2}) == sha256_of({"a": 2, "b": 1})
        True
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
