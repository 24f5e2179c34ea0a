"""Equal values have equal text and equal hashes."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datainf.core.canonical import canonical_json, sha256_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=7,
)


@given(st.dictionaries(st.text(), VALUES))
def test_text_does_not_depend_on_the_order_of_keys(value):
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(backwards)


@given(VALUES)
def test_text_is_ascii_and_ends_with_one_line_feed(value):
    text = canonical_json(value)
    assert text.isascii()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_text_is_frozen():
    assert canonical_json({"b": [1, 2.5], "a": "λ"}) == (
        '{\n  "a": "\\u03bb",\n  "b": [\n    1,\n    2.5\n  ]\n}\n'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_refused(value):
    with pytest.raises(ValueError, match=re.compile("Out of range float values")):
        canonical_json([value])


def test_the_hash_is_that_of_the_text():
    value = {"a": 1}
    expected = hashlib.sha256(canonical_json(value).encode()).hexdigest()
    assert sha256_of(value) == expected
    assert sha256_of({"a": 2}) != expected
