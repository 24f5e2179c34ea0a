"""Nothing in embedded data can end its element; hashes are those of the text."""

import base64
import gzip
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datainf.reports.embed import json_text, packed, policy

values = st.recursive(
    st.text(st.characters(codec=None, categories=None), max_size=13)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=7,
)


@given(values)
def test_json_reads_back_and_holds_no_markup(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)


def test_json_has_no_numbers_that_no_browser_reads() -> None:
    with pytest.raises(ValueError, match=r"^Out of range float values are not JSON"):
        json_text([float("nan")])


def test_packing_is_gzip_in_letters_and_always_the_same() -> None:
    text = "λ </script> " * 500
    letters = packed(text)
    assert gzip.decompress(base64.b64decode(letters)).decode("utf-8") == text
    assert letters == packed(text)
    assert len(letters) < len(text) / 10
    assert set(letters) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    )


def test_the_policy_lets_the_given_scripts_run_and_nothing_load() -> None:
    digest = base64.b64encode(hashlib.sha256(b"run()").digest()).decode()
    assert policy(["run()"]) == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
