"""The shape of `manifest.json`, format 1, and the check of a value against it.

A schema is written like the value it describes: a type stands for a value of that type
(`int` never takes true or false), a list for a list of any length, a dictionary for
exactly those keys, a `Maybe` for null or a value, and a `Map` for any number of keys
of one form.
Numbers and words are checked for what they mean where the manifest is built.
"""

import re
from dataclasses import dataclass
from typing import Any

from datainf.core.errors import StoreError, near

_WORDS = {
    int: "a whole number of at least 0",
    str: "a string",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


@dataclass(frozen=True)
class Map:
    """An object with any number of keys of one form.

    Attributes:
        key: What a key must match, whole.
        said: The same in words.
        value: Schema of every value.
    """

    key: str
    said: str
    value: Any


@dataclass(frozen=True)
class Maybe:
    """Null, or a value.

    Attributes:
        value: Schema of the value.
    """

    value: Any


@dataclass(frozen=True)
class Text:
    """A string of one form.

    Attributes:
        pattern: What the string must match, whole.
        said: The same in words.
    """

    pattern: str
    said: str


SHA256 = Text(r"[0-9a-f]{64}", "64 hexadecimal digits")

SHARD = {
    # Python reads whole numbers of up to 4300 digits.
    "name": Text(
        r"shard-[0-9]{5,18}\.safetensors", "shard-00000.safetensors and so on"
    ),
    "start": int,
    "rows": int,
    "bytes": int,
    "sha256": SHA256,
    "halved_at": [int],
}

MANIFEST = {
    "format_version": int,
    "library_version": str,
    "layout": [{"name": str, "shape": [int]}],
    "dtype": str,
    "projection": Maybe({"kind": str, "width": int, "seed": int}),
    "identity": {"base": str, "adapter": str, "task": dict, "data": str, "about": dict},
    "options": {
        "batch_tokens": int,
        "output": str,
        "parameters": str,
        "store_text": bool,
    },
    "coverage": list,
    "rows": int,
    "shard_rows": int,
    "shards": [SHARD],
    "pending": Map(r"0|[1-9][0-9]{0,17}", "a shard's number", [int]),
    "examples": {"rows": int, "sha256": SHA256},
    "complete": bool,
    "checksum": SHA256,
}


def check_schema(value: Any, schema: Any, key: str = "") -> None:
    """Check a JSON value against a schema.

    Args:
        value: What was read.
        schema: What it should look like.
        key: Where in the manifest the value stands, for the message.

    Raises:
        StoreError: If it does not fit; names the key.
    """
    if isinstance(schema, type):
        # bool is an int to Python; JSON tells them apart.
        fits = type(value) is schema and not (type(value) is int and value < 0)
        _require(fits, key, _WORDS[schema], value)
    elif isinstance(schema, Maybe):
        if value is not None:
            check_schema(value, schema.value, key)
    elif isinstance(schema, Text):
        fits = isinstance(value, str) and bool(re.fullmatch(schema.pattern, value))
        _require(fits, key, schema.said, value)
    elif isinstance(schema, list):
        _require(isinstance(value, list), key, "a list", value)
        for i, item in enumerate(value):
            check_schema(item, schema[0], f"{key}[{i}]")
    elif isinstance(schema, Map):
        _require(isinstance(value, dict), key, "an object", value)
        for name, item in value.items():
            if not re.fullmatch(schema.key, name):
                raise StoreError(
                    f"{key!r} holds the key {name[:60]!r}, not {schema.said}"
                )
            check_schema(item, schema.value, f"{key}.{name}")
    else:
        _require(isinstance(value, dict), key, "an object", value)
        _check_keys(value, schema, key)


def _check_keys(value: dict[str, Any], schema: dict[str, Any], key: str) -> None:
    """Check an object that must hold exactly the schema's keys."""
    inside = f"{key}." if key else ""
    for name in schema:
        if name not in value:
            raise StoreError(f"key '{inside}{name}' is missing")
    for name, item in value.items():
        if name not in schema:
            # What stands there is anybody's: on one line, and not without end.
            shown = repr(name)[1:-1][:60]
            raise StoreError(f"key '{inside}{shown}' is unknown: {near(name, schema)}")
        check_schema(item, schema[name], inside + name)


def _require(fits: bool, key: str, said: str, value: object) -> None:
    """Refuse a value that does not fit."""
    if not fits:
        what = f"key {key!r}" if key else "the whole"
        raise StoreError(f"{what} must be {said}, got {str(value)[:60]!r}")
