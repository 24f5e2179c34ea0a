"""The tokens of a text, each written so that all together read as the text."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from datainf.integrations.tasks.tokens import IGNORED


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """Write each token by itself, with the space before it where it has one.

    Some tokenizers drop the space before a text's first token, so each is decoded after
    the one before it. Half a character is U+FFFD.

    Args:
        tokenizer: The tokenizer.
        ids: The tokens; -100 is written as nothing.

    Returns:
        One text a token.
    """

    def decoded(some: Sequence[int]) -> str:
        known = [i for i in some if i != IGNORED]
        return str(tokenizer.decode(known, clean_up_tokenization_spaces=False))

    texts = []
    for place, token in enumerate(ids):
        before = ids[max(place - 1, 0) : place]
        lead, both = decoded(before), decoded([*before, token])
        fits = both.startswith(lead)
        texts.append(both[len(lead) :] if fits else decoded([token]))
    return texts
