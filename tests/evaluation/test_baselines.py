"""Baselines: TF-IDF is scikit-learn's, signs are those of scores."""

import re
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from datainf.core.errors import DataError, NonFiniteError, OptionError
from datainf.evaluation.baselines import (
    loss_suspicion,
    neighbour_suspicion,
    random_scores,
    tfidf_scores,
)

TRAIN = [
    "Ann has 3 apples and 5 pears; how many?",
    "Say it backwards: the  cat sat.",
    "the cat, THE CAT",
    "",
    "Grüße aus Köln! ça va? こんにちは",
    "a b a b 1 2 1",
    "it's an under_score",
]
QUERIES = ["How many pears has the cat?", "unheard words only zzz", "a 1 KÖLN"]
TWINS: dict[str, dict[str, Any]] = {
    "word": {"token_pattern": r"(?u)\b\w+\b"},
    "char_wb": {"analyzer": "char_wb", "ngram_range": (3, 5)},
}


@pytest.mark.parametrize("analyzer", TWINS)
def test_tfidf_is_the_negated_cosine_of_scikit_learn(analyzer: str) -> None:
    slow = TfidfVectorizer(**TWINS[analyzer]).fit(TRAIN)
    expected = -(slow.transform(QUERIES) @ slow.transform(TRAIN).T).toarray()
    found = tfidf_scores(TRAIN, QUERIES, analyzer=analyzer)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.shape == (3, 7)
    assert found.min() < -0.1


def test_the_most_similar_text_is_the_strongest_proponent() -> None:
    assert tfidf_scores(TRAIN, [TRAIN[1]])[0].argmin() == 1
    assert tfidf_scores(TRAIN, [TRAIN[1]])[0].min() == pytest.approx(-1)


def test_single_digits_are_words() -> None:
    assert tfidf_scores(["3 apples", "5 apples"], ["5"]).tolist()[0][0] == 0
    assert tfidf_scores(["3 apples", "5 apples"], ["5"]).tolist()[0][1] < -0.5


def test_texts_without_a_term_are_refused() -> None:
    message = (
        "TF-IDF: none of the 2 training texts has a term; give texts, or another "
        "analyzer."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        tfidf_scores(["", "!?"], ["words"])


def test_an_unknown_analyzer_is_named() -> None:
    message = (
        "analyzer='chars' is unknown: expected one of: word, char_wb; did you mean "
        "'char_wb'?."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        tfidf_scores(TRAIN, QUERIES, analyzer="chars")


def test_the_loss_baseline_is_the_loss() -> None:
    assert loss_suspicion([0.5, 2.0]).tolist() == [0.5, 2.0]
    with pytest.raises(NonFiniteError, match=r"^loss of row 1 is inf; "):
        loss_suspicion([0.5, np.inf])


def test_random_scores_come_from_their_seed() -> None:
    first = random_scores(3, 7, seed=1)
    assert first.shape == (3, 7)
    assert (first == random_scores(3, 7, seed=1)).all()
    assert (first != random_scores(3, 7, seed=2)).all()


def test_random_scores_need_rows() -> None:
    message = (
        "random scores: there must be at least one query and one candidate, got 0 "
        "and 7."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        random_scores(0, 7, seed=1)


def test_neighbours_of_other_labels_make_a_row_suspicious():
    rng = np.random.default_rng(5)
    scores, own, asked = rng.normal(size=(5, 7)), list("abacbab"), list("abbaz")
    expected = []
    for k, label in enumerate(own):
        same = [scores[q, k] for q in range(5) if asked[q] == label]
        other = [scores[q, k] for q in range(5) if asked[q] != label]
        expected.append((np.mean(same) if same else 0.0) - np.mean(other))
    assert neighbour_suspicion(scores, own, asked) == pytest.approx(expected)


def test_without_labels_the_least_alike_is_the_most_suspicious():
    scores = [[-1.0, 0.0], [-0.5, -0.1]]
    assert neighbour_suspicion(scores).tolist() == [-0.75, -0.05]


def test_labels_of_other_rows_are_refused():
    with pytest.raises(DataError) as refused:
        neighbour_suspicion([[0.0, 0.0]], ["a"], ["a"])
    assert str(refused.value) == (
        "scores of shape [1, 2] need one label a row and one a column, got 1 and 1."
    )
