"""The schema check: each refusal names the key."""

import re

import pytest

from datainf.core.errors import StoreError
from datainf.store.schema import MANIFEST, SHA256, Map, Maybe, check_schema

SCHEMA = {
    "count": int,
    "names": [str],
    "nothing": Maybe({"flag": bool}),
    "hash": SHA256,
    "by_number": Map(r"[0-9]+", "a number", [int]),
    "free": dict,
    "inner": {"flag": bool},
}
GOOD = {
    "count": 0,
    "names": ["a", "b"],
    "nothing": None,
    "hash": "0" * 64,
    "by_number": {"3": [1, 2]},
    "free": {"x": [1]},
    "inner": {"flag": False},
}


def test_a_fitting_value_passes():
    check_schema(GOOD, SCHEMA)
    check_schema({**GOOD, "nothing": {"flag": True}}, SCHEMA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"count": True},
            "key 'count' must be a whole number of at least 0, got 'True'",
        ),
        ({"count": -1}, "key 'count' must be a whole number of at least 0, got '-1'"),
        ({"count": 1.0}, "key 'count' must be a whole number of at least 0, got '1.0'"),
        ({"names": "ab"}, "key 'names' must be a list, got 'ab'"),
        ({"names": ["a", 3]}, "key 'names[1]' must be a string, got '3'"),
        ({"nothing": 0}, "key 'nothing' must be an object, got '0'"),
        ({"nothing": {}}, "key 'nothing.flag' is missing"),
        ({"hash": 5}, "key 'hash' must be 64 hexadecimal digits, got '5'"),
        ({"hash": "xyz"}, "key 'hash' must be 64 hexadecimal digits, got 'xyz'"),
        ({"by_number": []}, "key 'by_number' must be an object, got '[]'"),
        ({"by_number": {"x": []}}, "'by_number' holds the key 'x', not a number"),
        (
            {"by_number": {"3": ["y"]}},
            "key 'by_number.3[0]' must be a whole number of at least 0, got 'y'",
        ),
        ({"free": 7}, "key 'free' must be an object, got '7'"),
        ({"inner": 7}, "key 'inner' must be an object, got '7'"),
        ({"inner": {}}, "key 'inner.flag' is missing"),
        ({"inner": {"flag": 1}}, "key 'inner.flag' must be true or false, got '1'"),
        (
            {"inner": {"flag": True, "flog": 1}},
            "key 'inner.flog' is unknown: expected one of: flag; did you mean 'flag'?",
        ),
    ],
)
def test_a_refusal_names_the_key(change, message):
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        check_schema({**GOOD, **change}, SCHEMA)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_manifest_must_be_an_object(value):
    message = f"the whole must be an object, got {str(value)!r}"
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        check_schema(value, MANIFEST)


@pytest.mark.parametrize("key", list(MANIFEST))
def test_every_key_of_a_manifest_is_needed(key):
    # The missing key is found before any value is looked at.
    with pytest.raises(StoreError, match=f"^key '{key}' is missing$"):
        check_schema({name: 0 for name in MANIFEST if name != key}, MANIFEST)
