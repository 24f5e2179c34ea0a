"""Half surrogate pairs become what UTF-8 can hold; all else stays what it is."""

import pytest

from datainf.core.encodable import encodable


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain \0 ü 東 \U0001f600", "plain \0 ü 東 \U0001f600"),
        ("a\ud83db", "a\ufffdb"),
        ("a\ud83d", "a\ufffd"),
        ("\ude00a", "\ufffda"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        (["\ud83d", 1, None], ["\ufffd", 1, None]),
        (("\ud83d",), ["\ufffd"]),
        ({"\ud83d": [{"role": "\ud83d"}]}, {"\ufffd": [{"role": "\ufffd"}]}),
        (7, 7),
    ],
)
def test_what_utf8_cannot_hold_becomes_the_sign_for_it(given, expected):
    assert encodable(given) == expected
    str(encodable(given)).encode()
