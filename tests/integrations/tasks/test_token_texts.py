"""Tokens that read, put together, as the text they came from."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from datainf.integrations.tasks.token_texts import token_texts
from tests.tiny_models import tiny_tokenizer


def sentence_pieces() -> PreTrainedTokenizerFast:
    """A tokenizer that drops the space before a text's first token, as Llama 2's."""
    vocab = {"<unk>": 0, "▁two": 1, "▁words": 2, "s": 3}
    inner = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>")


def byte_level() -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are bytes: é is two of them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def test_special_tokens_are_written_too():
    tokenizer = tiny_tokenizer()
    ids = tokenizer("ab c")["input_ids"]
    assert token_texts(tokenizer, ids) == ["<s>", "a", "b", " ", "c"]


def test_a_space_before_a_word_is_kept():
    assert token_texts(sentence_pieces(), [1, 2, 3]) == ["two", " words", "s"]


def test_half_a_character_is_a_sign_and_takes_nothing_from_the_others():
    tokenizer = byte_level()
    texts = token_texts(tokenizer, tokenizer("aéb")["input_ids"])
    assert len(texts) == 4
    assert (texts[0], texts[3]) == ("a", "b")
    assert all(set(text) == {"\ufffd"} for text in texts[1:3])


@pytest.mark.parametrize("ids", [[], [-100], [-100, -100]])
def test_ignored_labels_are_written_as_nothing(ids):
    assert token_texts(tiny_tokenizer(), ids) == [""] * len(ids)
