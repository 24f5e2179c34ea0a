"""Padding, limits, readable rows, and telling tokenizers apart."""

import re
from types import SimpleNamespace

import pytest
import torch
from tokenizers import normalizers
from transformers import PreTrainedTokenizerFast

from datainf.core.errors import DataError, OptionError
from datainf.integrations.tasks.tokens import (
    brief,
    pad_id,
    pad_rows,
    require_column,
    require_text,
    shorten,
    token_limit,
    tokenizer_fingerprint,
)
from tests.tiny_models import tiny_tokenizer


def test_rows_are_padded_on_the_side_asked_for():
    rows = [[1, 2, 3], [4], []]
    assert pad_rows(rows, 0).tolist() == [[1, 2, 3], [4, 0, 0], [0, 0, 0]]
    assert pad_rows(rows, 9, "left").tolist() == [[1, 2, 3], [9, 9, 4], [9, 9, 9]]
    assert pad_rows(rows, 0).dtype == torch.long


@pytest.mark.parametrize(
    ("pad", "eos", "wanted"), [(True, True, 0), (False, True, 3), (False, False, 0)]
)
def test_padding_falls_back_to_the_end_of_sequence_token(pad, eos, wanted):
    assert pad_id(tiny_tokenizer(pad=pad, eos=eos)) == wanted


def test_the_limit_is_the_users_or_the_tokenizers_or_the_default():
    endless = SimpleNamespace(model_max_length=int(1e30))
    tokenizer = tiny_tokenizer()
    assert token_limit(tokenizer, 11, 512) == 11
    assert token_limit(tokenizer, None, 512) == 256
    tokenizer.model_max_length = endless.model_max_length
    assert token_limit(tokenizer, None, 512) == 512


def test_a_limit_below_two_is_refused():
    message = "max_length must be at least 2, got 1."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        token_limit(tiny_tokenizer(), 1, 512)


@pytest.mark.parametrize(
    "other",
    [
        tiny_tokenizer(eos=False),
        tiny_tokenizer(bos=False),
        tiny_tokenizer(chat_template=True),
        tiny_tokenizer(chat_template="{{ messages }}"),
    ],
    ids=["eos", "bos", "template", "another template"],
)
def test_tokenizers_that_do_another_thing_have_another_fingerprint(other):
    assert tokenizer_fingerprint(other) != tokenizer_fingerprint(tiny_tokenizer())


def normalizing(kind):
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.normalizer = kind()
    return tokenizer


@pytest.mark.parametrize("kind", [normalizers.NFKC, normalizers.Lowercase])
def test_a_change_anywhere_in_a_fast_tokenizer_changes_its_fingerprint(kind, tmp_path):
    changed = tokenizer_fingerprint(normalizing(kind))
    assert changed["backend"] != tokenizer_fingerprint(tiny_tokenizer())["backend"]
    normalizing(kind).save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert tokenizer_fingerprint(again) == changed


def test_whether_special_tokens_are_split_is_in_the_fingerprint():
    tokenizer = tiny_tokenizer()
    tokenizer.split_special_tokens = True
    assert tokenizer_fingerprint(tokenizer) == {
        **tokenizer_fingerprint(tiny_tokenizer()),
        "split_special_tokens": True,
    }


def test_what_a_call_asks_for_is_not_in_the_fingerprint():
    tokenizer = tiny_tokenizer()
    tokenizer(["abc", "a"], truncation=True, max_length=2, padding="max_length")
    assert tokenizer_fingerprint(tokenizer) == tokenizer_fingerprint(tiny_tokenizer())


def test_a_slow_tokenizer_is_told_by_what_it_does(monkeypatch):
    tokenizer = tiny_tokenizer()
    monkeypatch.setattr(type(tokenizer), "is_fast", False)
    found = tokenizer_fingerprint(tokenizer)
    assert "backend" not in found
    assert found["probe"] == tokenizer_fingerprint(tiny_tokenizer())["probe"]
    assert found["probe"] != tokenizer_fingerprint(tiny_tokenizer(bos=False))["probe"]


def test_a_fingerprint_survives_saving_and_names_no_path(tmp_path):
    tokenizer = tiny_tokenizer(chat_template=True)
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    assert tokenizer_fingerprint(again) == tokenizer_fingerprint(tokenizer)
    assert str(tmp_path) not in str(tokenizer_fingerprint(again))


def test_short_texts_stay_and_long_ones_lose_their_middle():
    assert shorten("abc", 3) == "abc"
    for width in range(4, 30):
        cut = shorten("abcdefghijklmnopqrstuvwxyz0123456789", width)
        assert len(cut) == width
        assert " … " in cut
    assert brief({"text": "a" * 500}) == brief({"text": "a" * 500})
    assert len(brief({"text": "a" * 500})) == 120


def test_a_missing_column_is_named_with_those_there_are():
    message = (
        "column 'sentense' is missing: expected one of: sentence, label; did you mean "
        "'sentence'?."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        require_column({"sentence": "a", "label": 0}, "sentense")


def test_an_empty_cell_is_refused():
    message = (
        "column 'label' is empty in the row {'text': 'a', 'label': None}; fill it or "
        "take the row out."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        require_column({"text": "a", "label": None}, "label")


def test_whole_numbers_are_texts_and_nothing_else_is():
    assert require_text({"answer": -7}, "answer") == "-7"
    message = "column 'answer' must hold text, got float in the row {'answer': 0.5}."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        require_text({"answer": 0.5}, "answer")
    with pytest.raises(DataError, match=r"must hold text, got bool"):
        require_text({"answer": True}, "answer")


def test_a_zero_byte_passes_through():
    assert require_text({"text": "a\0b"}, "text") == "a\0b"


def test_half_a_surrogate_pair_is_no_text():
    assert require_text({"text": "a\ud800b"}, "text") == "a\ufffdb"
