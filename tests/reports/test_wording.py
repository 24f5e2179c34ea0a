"""Sentences say what was asked and how well it was solved, in whole words."""

from dataclasses import replace

import numpy as np
import pytest

from datainf.reports.wording import (
    agreement_sentence,
    counted,
    query_residual,
    question,
    residual_sentences,
    verdict,
)
from tests.reports.fakes import bare_scores, nasty_scores


def test_nouns_agree_with_their_numbers() -> None:
    assert counted(1, "query", "queries") == "1 query"
    assert counted(4500, "query", "queries") == "4,500 queries"
    assert counted(0, "example") == "0 examples"


def test_the_question_names_sizes_method_and_damping() -> None:
    assert question(nasty_scores()) == (
        "Which of 17 training examples taught the model what it says to each of 3 "
        "queries, and which pulled the other way? Estimated by datainf (damping 0.1)."
    )
    assert question(bare_scores(np.zeros((1, 1)))) == (
        "Which of 1 training example taught the model what it says to the query, and "
        "which pulled the other way? Estimated by dot."
    )


@pytest.mark.parametrize(
    ("normalize", "what"),
    [
        ("example", "every training gradient"),
        ("block", "every block of a training gradient"),
    ],
)
def test_the_question_says_when_gradients_are_scaled_to_unit_length(
    normalize: str, what: str
) -> None:
    scores = nasty_scores()
    options = {**scores.provenance.options, "normalize": normalize}
    made = replace(scores.provenance, options=options)
    assert question(replace(scores, provenance=made)).endswith(
        f"Estimated by datainf (damping 0.1, {what} scaled to unit length)."
    )


def test_the_residual_is_put_into_words() -> None:
    solved, partly, limits = residual_sentences(nasty_scores())
    assert solved == (
        "The system behind the scores was solved closely for the median query and "
        "curvature group: residual 0.05; the worst is 0.6 (only in part), at query 11 "
        "in v_proj. 0 is an exact solution, 1 none at all."
    )
    assert partly == (
        "In 1 curvature group no system was solved for some or all queries."
    )
    assert limits == (
        "A small residual says that the method's own equation was solved, not that the "
        "scores predict what retraining would show."
    )


def test_where_all_is_solved_nothing_is_said_of_gaps() -> None:
    scores = replace(nasty_scores(), residual=np.full((3, 2), 0.001))
    sentences = list(residual_sentences(scores))
    assert len(sentences) == 2
    assert "solved practically exactly for the median" in sentences[0]


def test_a_method_without_a_system_has_no_residual() -> None:
    assert list(residual_sentences(bare_scores(np.ones((2, 3))))) == [
        "dot solves no linear system, so there is no residual to report."
    ]
    assert query_residual(np.array([np.nan, np.nan])) == ""


def test_agreement_is_told_for_the_median_query_and_the_lowest() -> None:
    scores = replace(nasty_scores(), agreement=np.array([0.75, np.nan, -0.5]))
    assert agreement_sentence(scores) == (
        "Agreement with exact (Spearman's rank correlation of the training examples): "
        "0.12 for the median query, the lowest -0.50 (query 11). It is about the order "
        "of all rows, most of them near 0, and not about the few at its ends alone."
    )
    one = replace(bare_scores(np.ones((1, 3))), agreement=np.array([0.5]))
    assert "0.50 for the query. It is about" in agreement_sentence(one)


def test_no_agreement_is_told_where_there_is_none_to_tell() -> None:
    assert agreement_sentence(nasty_scores()) == ""
    exact = replace(nasty_scores(), agreement=np.ones(3))
    made = replace(exact.provenance, method="exact")
    assert agreement_sentence(replace(exact, provenance=made)) == ""


def test_a_query_has_its_own_sentence() -> None:
    assert query_residual(np.array([0.02, np.nan, 0.7])) == (
        "System solved roughly: residual 0.36 in the median curvature group, 0.7 in "
        "the worst."
    )


@pytest.mark.parametrize(
    ("residual", "words"),
    [
        (0.0, "practically exactly"),
        (0.01, "closely"),
        (0.1, "roughly"),
        (0.5, "only in part"),
        (1.0, "not at all"),
        (1.0000001, "not at all"),
    ],
)
def test_verdicts_have_their_limits(residual: float, words: str) -> None:
    assert verdict(residual) == words
