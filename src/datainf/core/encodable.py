"""Text that every file can hold: no half of a surrogate pair.

JSON can write half a pair, as an escape, and Python can hold it; UTF-8, tokenizers,
Arrow and terminals cannot. Two halves that belong together become their character, one
alone becomes U+FFFD, the sign that Unicode has for what cannot be read.
"""

import re
from collections.abc import Mapping
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")


def encodable(value: Any) -> Any:
    """Replace half surrogate pairs, at any depth.

    Args:
        value: A text, or lists and mappings of texts; anything else is given back.

    Returns:
        The same, of texts that encode as UTF-8.

    Examples:
        >>> encodable(["half " + chr(0xD83D), 7]) == ["half " + chr(0xFFFD), 7]
        True
    """
    if isinstance(value, str):
        if _HALF.search(value) is None:
            return value
        units = value.encode("utf-16-le", "surrogatepass")
        return units.decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {encodable(name): encodable(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [encodable(one) for one in value]
    return value
