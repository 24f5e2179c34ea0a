"""Leave one out: an example's score against what training without it does."""

import re

import numpy as np
import pytest

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.lds import lds
from datainf.evaluation.loo import loo, require_examples

Q, N = 3, 11
LEFT_OUT = [2, 7, 5, 0]


def test_it_is_the_lds_of_subsets_that_lack_one_example():
    rng = np.random.default_rng(0)
    scores, losses = rng.normal(size=(Q, N)), rng.normal(size=(len(LEFT_OUT), Q))
    kept = np.ones((len(LEFT_OUT), N))
    kept[np.arange(len(LEFT_OUT)), LEFT_OUT] = 0
    found, same = (loo(scores, LEFT_OUT, losses), lds(scores, kept, losses))
    np.testing.assert_allclose(found.per_query, same.per_query)


def test_losing_a_proponent_raises_the_loss():
    assert loo([[-1.0, 0.0, 1.0]], [0, 1, 2], [[3.0], [2.0], [1.0]]).value == 1


@pytest.mark.parametrize("scores", [np.zeros(N), np.zeros((Q, 6))])
def test_scores_without_those_examples_are_refused(scores):
    message = (
        f"loo: scores of shape {list(scores.shape)} do not hold every example that was "
        "left out (up to 7)."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        loo(scores, LEFT_OUT, np.zeros((4, Q)))


@pytest.mark.parametrize("examples", [[0, 11], [-1], [3, 3]])
def test_examples_that_are_not_there_or_come_twice_are_refused(examples):
    message = (
        "examples to leave out must be different numbers from 0 to 10, got "
        f"{', '.join(map(str, examples))}."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        require_examples(N, examples)
    require_examples(N, LEFT_OUT)
