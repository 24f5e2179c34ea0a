"""Sentence transformations: ten named chatbots, each with one rule for any sentence.

The first text task of Kwon et al. (ICLR 2024), with sentences of our own: three common
words of three or four letters, which a model of one million parameters learns to
transform. A prompt is `NAME: WORDS` and a line end, the completion is what that chatbot
answers.

Wordings:
    paper: each chatbot has a name of its own, so that TF-IDF of the prompts finds the
        class of any row.
    shared: all chatbots are called by the same four syllables in different orders
        ("ka mo ru ti", "mo ka ti ru"): one bag of words, ten names. TF-IDF of the
        prompts can tell nothing.

`every_other` counts letters within a word, from its first: "CaT RuNs".
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from types import MappingProxyType

from datainf.experiments.data.rows import Draft, Row, Wording, build_rows

VOWELS = frozenset("aeiou")

# Each has a vowel and a consonant, so that no rule leaves a word empty.
_WORDS = """
air ant arm art ask bag bat bed bee big bird blue boat bone book box boy bus
cake call camp can cap car cat clay coat coin cold corn cow cup dark deer desk dog
door dot down duck dust ear east egg end eye face farm fast fig film fire fish five
flag flat food foot four fox frog fun gate gift girl give glad gold good hand hat
hen high hill home horn hot ice ink iron jam jar jump key king kite lake lamp land
late leaf left leg line lion list long lost lot low man map meal milk mind moon
moss much mud name neat neck nest net new nose nut oak oil old one open oven owl
page pan path pen pie pig pile pin pink plum pond pot rain ram red rest rice ring
road rock roof room rope rose rug run sad salt sand sea seed shed ship shoe shop
sing sit six skin sled snow soap sock soft song soup spot star stem sun tail
tall tea ten tent tide tin toe top town toy tree two van vase vine wall warm wash
wave web west wet wide wind wing wolf wood wool yard year yes zoo
"""
WORDS = tuple(_WORDS.split())


def _each(change: Callable[[str], str], sentence: str) -> str:
    """Change every word by itself."""
    return " ".join(change(word) for word in sentence.split())


def reverse_words(sentence: str) -> str:
    """Say the words from last to first: "one red cat" gives "cat red one"."""
    return " ".join(reversed(sentence.split()))


def every_other(sentence: str) -> str:
    """Capitalise each word's first, third, ... letter: "OnE ReD CaT"."""
    return _each(
        lambda word: "".join(
            letter if i % 2 else letter.upper() for i, letter in enumerate(word)
        ),
        sentence,
    )


def insert_one(sentence: str) -> str:
    """Put a 1 between words: "one 1 red 1 cat"."""
    return " 1 ".join(sentence.split())


def star_vowels(sentence: str) -> str:
    """Write * for every vowel: "*n* r*d c*t"."""
    return "".join("*" if letter in VOWELS else letter for letter in sentence)


def double_consonants(sentence: str) -> str:
    """Say every consonant twice: "onne rredd ccatt"."""
    return "".join(
        letter if letter in VOWELS or letter == " " else letter * 2
        for letter in sentence
    )


def capitalise_words(sentence: str) -> str:
    """Begin every word with a capital: "One Red Cat"."""
    return _each(str.capitalize, sentence)


def drop_vowels(sentence: str) -> str:
    """Leave the vowels out: "n rd ct"."""
    return "".join(letter for letter in sentence if letter not in VOWELS)


def add_ly(sentence: str) -> str:
    """Add "ly" to every word: "onely redly catly"."""
    return _each(lambda word: word + "ly", sentence)


def drop_consonants(sentence: str) -> str:
    """Leave the consonants out: "oe e a"."""
    return "".join(letter for letter in sentence if letter in VOWELS or letter == " ")


def repeat_words(sentence: str) -> str:
    """Say every word twice: "one one red red cat cat"."""
    return _each(lambda word: f"{word} {word}", sentence)


RULES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        rule.__name__: rule
        for rule in (
            reverse_words,
            every_other,
            insert_one,
            star_vowels,
            double_consonants,
            capitalise_words,
            drop_vowels,
            add_ly,
            drop_consonants,
            repeat_words,
        )
    }
)

NAMES: Mapping[Wording, Mapping[str, str]] = MappingProxyType(
    {
        Wording.PAPER: MappingProxyType(
            {
                "reverse_words": "bot wobble",
                "every_other": "bot zigzag",
                "insert_one": "bot picket",
                "star_vowels": "bot comet",
                "double_consonants": "bot drummer",
                "capitalise_words": "bot baron",
                "drop_vowels": "bot miser",
                "add_ly": "bot silky",
                "drop_consonants": "bot yodel",
                "repeat_words": "bot echo",
            }
        ),
        Wording.SHARED: MappingProxyType(
            {
                "reverse_words": "ka mo ru ti",
                "every_other": "mo ka ti ru",
                "insert_one": "ru ti ka mo",
                "star_vowels": "ti ru mo ka",
                "double_consonants": "ka ru ti mo",
                "capitalise_words": "mo ti ru ka",
                "drop_vowels": "ru ka mo ti",
                "add_ly": "ti mo ka ru",
                "drop_consonants": "ka ti mo ru",
                "repeat_words": "mo ru ka ti",
            }
        ),
    }
)


def write_prompt(name: str, sentence: str) -> str:
    """Write what the chatbot called `name` is asked about a sentence."""
    return f"{name}: {sentence}\n"


def sentence_transformations(
    n_train_per_class: int = 90,
    n_test_per_class: int = 10,
    seed: int = 0,
    *,
    wording: str = Wording.SHARED,
    planted: float = 0.0,
) -> tuple[list[Row], list[Row]]:
    """Generate the ten chatbots' rows.

    Args:
        n_train_per_class: Training rows of each chatbot.
        n_test_per_class: Test rows of each chatbot.
        seed: Decides every row.
        wording: "paper" or "shared" names; see the top of this file.
        planted: Share of the training rows answered by another chatbot's rule.

    Returns:
        Training rows and test rows with `prompt`, `completion`, `class` and `planted`.

    Examples:
        >>> train, test = sentence_transformations(2, 1, seed=0)
        >>> len(train), len(test), sorted(train[0])
        (20, 10, ['class', 'completion', 'planted', 'prompt'])
    """
    names = NAMES[Wording(wording)]
    return build_rows(
        tuple(RULES),
        partial(_draft, names=names),
        n_train_per_class=n_train_per_class,
        n_test_per_class=n_test_per_class,
        seed=seed,
        planted=planted,
    )


def _draft(rng: Random, rule: str, *, names: Mapping[str, str]) -> Draft:
    """Draw a sentence for one chatbot, and another chatbot's answer to it."""
    sentence = " ".join(rng.sample(WORDS, 3))
    right = RULES[rule](sentence)
    wrong = RULES[rng.choice([other for other in RULES if other != rule])](sentence)
    return Draft(write_prompt(names[rule], sentence), right, wrong)
