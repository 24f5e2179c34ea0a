"""The head of a report says what is known, and no more."""

from dataclasses import replace

import numpy as np
import pytest

from datainf.reports.overview import certificate, glance, half_of, verdicts
from tests.reports.fakes import bare_scores, nasty_scores


def with_source(scores, source):
    made = replace(scores.provenance, sources={"train": source})
    return replace(scores, provenance=made)


def test_adapter_and_base_are_named_where_they_are_known():
    source = {
        "adapter": "3b2943aeb6ee22f5",
        "base": "b30fb7c54151e755",
        "about": {"adapter": "default", "model": "/models/tiny-llama/"},
    }
    lines = {
        line.name: line.value for line in glance(with_source(nasty_scores(), source))
    }
    assert lines == {
        "adapter": "default #3b2943ae",
        "base model": "tiny-llama #b30fb7c5",
        "method": "datainf",
        "certificate": "solved closely, residual 0.05",
        "asked": "3 queries × 17 training examples",
    }


@pytest.mark.parametrize("source", [{}, {"about": 7}, ["a", "b"], None])
def test_what_is_not_known_is_left_out(source):
    names = [line.name for line in glance(with_source(nasty_scores(), source))]
    assert names == ["method", "certificate", "asked"]


def test_half_of_the_influence_is_counted_from_the_strongest_row():
    scores = bare_scores(np.array([[-6.0, -3.0, -2.0, 5.0], [-1.0] * 4, [1.0] * 4]))
    assert half_of(scores).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("strong", "rows", "words"),
    [
        (1, 100, "1 of 100 training examples: a few rows carry it."),
        (20, 100, "a small part of the data carries it."),
        (100, 100, "it is spread over the data, and single rows explain little."),
    ],
)
def test_the_verdict_says_how_many_rows_carry_the_influence(strong, rows, words):
    values = np.full((1, rows), -1e-9)
    values[0, :strong] = -1.0
    assert next(verdicts(bare_scores(values))).endswith(words)


def test_without_proponents_nothing_is_said_of_them():
    assert next(verdicts(bare_scores(np.ones((1, 3))))) == (
        "dot solves no equation, so that nothing certifies these scores."
    )


@pytest.mark.parametrize(
    ("agreement", "words"),
    [
        (0.97, "as the exact solution does (rank correlation 0.97)."),
        (0.75, "much as the exact solution does (rank correlation 0.75)."),
        (-0.2, "unlike the exact solution of its equation (rank correlation −0.20)."),
    ],
)
def test_agreement_certifies_before_the_residual_does(agreement, words):
    scores = replace(nasty_scores(), agreement=np.full(3, agreement))
    assert list(verdicts(scores))[1] == f"datainf ranks the examples {words}"


def test_a_residual_that_is_large_asks_for_care():
    for residual, words in (
        (0.004, "solved its own equation practically exactly (residual 0.004)."),
        (0.7, "only in part (residual 0.7): read the order with care."),
    ):
        scores = replace(nasty_scores(), residual=np.full((3, 2), residual))
        assert list(verdicts(scores))[1].endswith(words)


def test_the_certificate_is_short():
    assert certificate(bare_scores(np.ones((1, 2)))) == (
        "none: the method solves no system"
    )
    scores = replace(nasty_scores(), agreement=np.array([0.5, -0.25, np.nan]))
    assert certificate(scores).endswith("residual 0.05; agreement with exact 0.12")
