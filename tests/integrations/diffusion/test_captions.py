"""Captions that no text encoder reads to their end."""

from types import SimpleNamespace

import pytest

from datainf.integrations.diffusion.captions import is_cut
from tests.tiny_diffusion import DIFFUSERS, PIPELINES, tiny_pipeline


class T5Tokenizer:
    """A token a letter; it would take any number."""

    model_max_length = 10**30

    def __call__(self, caption, *, verbose):
        assert not verbose  # or it would warn of what we say ourselves
        return SimpleNamespace(input_ids=list(caption))


class CLIPTokenizer(T5Tokenizer):
    """The same, and takes five."""

    model_max_length = 5


def pipeline(*tokenizers, longest=None):
    def without(prompt): ...

    def with_longest(prompt, max_sequence_length=longest): ...

    found: dict[str, object] = {}
    for end, tokenizer in zip(("", "_2", "_3"), tokenizers, strict=False):
        found |= {f"tokenizer{end}": tokenizer, f"text_encoder{end}": tokenizer}
    encode = without if longest is None else with_longest
    return SimpleNamespace(encode_prompt=encode, **found)


def test_a_caption_is_cut_where_every_tokenizer_cuts_it():
    clip, t5 = CLIPTokenizer(), T5Tokenizer()
    assert [is_cut(pipeline(clip), "x" * n) for n in (5, 6)] == [False, True]
    both = pipeline(clip, None, t5, longest=7)
    assert [is_cut(both, "x" * n) for n in (5, 6, 7, 8)] == [False, False, False, True]
    assert not is_cut(pipeline(), "x" * 100)
    both.text_encoder_3 = None
    assert is_cut(both, "x" * 6)


@pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")
@pytest.mark.parametrize("family", PIPELINES)
def test_every_family_takes_a_short_caption_whole(family):
    pipe = tiny_pipeline(family)
    assert not is_cut(pipe, "xyz")
    assert is_cut(pipe, "x" * 1000)
