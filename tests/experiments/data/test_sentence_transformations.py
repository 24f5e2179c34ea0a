"""Sentence transformations: each rule by hand, and what the rows promise."""

import re
from collections import Counter

import pytest

from datainf.experiments.data.rows import Wording
from datainf.experiments.data.sentence_transformations import (
    NAMES,
    RULES,
    VOWELS,
    WORDS,
    sentence_transformations,
)

BY_HAND = {
    "reverse_words": ("one red cat", "cat red one"),
    "every_other": ("one red frog", "OnE ReD FrOg"),
    "insert_one": ("one red cat", "one 1 red 1 cat"),
    "star_vowels": ("one red cat", "*n* r*d c*t"),
    "double_consonants": ("one red cat", "onne rredd ccatt"),
    "capitalise_words": ("one red cat", "One Red Cat"),
    "drop_vowels": ("one red cat", "n rd ct"),
    "add_ly": ("one red cat", "onely redly catly"),
    "drop_consonants": ("one red cat", "oe e a"),
    "repeat_words": ("one red cat", "one one red red cat cat"),
}


def sentence_of(row):
    return row["prompt"].split(": ")[1].rstrip("\n")


def test_every_rule_has_an_example_by_hand():
    assert set(BY_HAND) == set(RULES)
    assert len(RULES) == 10


@pytest.mark.parametrize("rule", sorted(BY_HAND))
def test_rule_does_what_was_worked_out_by_hand(rule):
    sentence, expected = BY_HAND[rule]
    assert RULES[rule](sentence) == expected


def test_every_word_keeps_a_letter_under_every_rule():
    assert len(WORDS) == len(set(WORDS))
    for word in WORDS:
        letters = set(word)
        assert letters & VOWELS
        assert letters - VOWELS


def test_rules_never_agree_on_a_sentence():
    train, _ = sentence_transformations(30, 0, seed=1)
    for row in train:
        answers = [rule(sentence_of(row)) for rule in RULES.values()]
        assert len(set(answers)) == len(RULES)


@pytest.mark.parametrize("wording", list(Wording))
def test_counts_names_and_answers(wording):
    train, test = sentence_transformations(7, 3, seed=2, wording=wording)
    assert Counter(row["class"] for row in train) == dict.fromkeys(RULES, 7)
    assert Counter(row["class"] for row in test) == dict.fromkeys(RULES, 3)
    for row in train + test:
        assert set(row) == {"prompt", "completion", "class", "planted"}
        assert row["prompt"].startswith(NAMES[wording][row["class"]] + ": ")
        assert row["completion"] == RULES[row["class"]](sentence_of(row))
        assert row["planted"] is False


def test_rows_are_decided_by_the_seed():
    assert sentence_transformations(5, 2, 3) == sentence_transformations(5, 2, 3)
    assert sentence_transformations(5, 2, 3) != sentence_transformations(5, 2, 4)


def test_no_prompt_is_met_twice():
    train, test = sentence_transformations(seed=5)
    prompts = [row["prompt"] for row in train + test]
    assert len(prompts) == len(set(prompts)) == 1000


def test_shared_names_are_one_bag_of_words_in_ten_orders():
    names = NAMES[Wording.SHARED]
    assert set(names) == set(RULES)
    assert len(set(names.values())) == len(RULES)
    assert len({frozenset(Counter(n.split()).items()) for n in names.values()}) == 1


def test_paper_names_are_ten_names():
    names = NAMES[Wording.PAPER]
    assert set(names) == set(RULES)
    assert len(set(names.values())) == len(RULES)


@pytest.mark.parametrize(("planted", "expected"), [(0.0, 0), (0.05, 4), (1.0, 70)])
def test_planted_rows_are_counted_exactly_and_wrong(planted, expected):
    train, test = sentence_transformations(7, 3, seed=6, planted=planted)
    marked = [row for row in train if row["planted"]]
    assert len(marked) == expected
    for row in train:
        right = RULES[row["class"]](sentence_of(row))
        assert (row["completion"] != right) is row["planted"]
    for row in marked:
        answers = {rule(sentence_of(row)) for rule in RULES.values()}
        assert row["completion"] in answers
    assert not any(row["planted"] for row in test)


@pytest.mark.parametrize("planted", [-0.1, 1.5])
def test_planted_must_be_a_share(planted):
    message = f"planted must be a share between 0 and 1, got {planted}."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        sentence_transformations(2, 1, planted=planted)


def test_counts_must_not_be_negative():
    message = (
        "rows per class must not be negative, got -1 for training and 1 for testing."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        sentence_transformations(-1, 1)


def test_unknown_wording_is_refused():
    message = "'other' is not a valid Wording"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        sentence_transformations(1, 1, wording="other")
