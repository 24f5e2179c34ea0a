"""Class detection against scikit-learn and by hand; unknown classes are named."""

import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from datainf.core.errors import DataError, DatainfWarning, NonFiniteError
from datainf.evaluation.retrieval import class_detection

N, Q = 11, 3
TRAIN = np.array(list("aabbbccacba"))
ASKED = np.array(list("cab"))


@pytest.fixture
def scores() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((Q, N))


def refuses(message: str, error: type[Exception] = DataError):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_each_query_is_measured_against_its_own_class(scores) -> None:
    found = class_detection(scores, TRAIN, ASKED)
    for q, (auc, recall) in enumerate(found.per_query):
        same = ASKED[q] == TRAIN
        assert auc == pytest.approx(roc_auc_score(same, -scores[q]), abs=1e-12)
        first = np.argsort(scores[q])[: same.sum()]
        assert recall == pytest.approx(same[first].mean(), abs=1e-12)
    assert found.auc == pytest.approx(found.per_query[:, 0].mean())
    assert found.recall == pytest.approx(found.per_query[:, 1].mean())
    assert found.measured.tolist() == [0, 1, 2]
    assert found.excluded == {}


def test_recall_counts_the_class_among_as_many_most_negative() -> None:
    row = [-5.0, -4.0, -3.0, -2.0, -1.0]
    found = class_detection([row], ["a", "b", "a", "a", "b"], ["a"])
    assert found.recall == pytest.approx(2 / 3)
    assert found.auc == pytest.approx(4 / 6)


def test_proponents_are_negative() -> None:
    assert class_detection([[-1.0, 1.0]], ["a", "b"], ["a"]).auc == 1.0
    assert class_detection([[-1.0, 1.0]], ["a", "b"], ["b"]).auc == 0.0


def test_queries_of_unknown_classes_are_left_out_counted_and_named(scores) -> None:
    more = np.vstack([scores, scores[:2]])
    message = (
        "class detection leaves out 2 of 5 queries whose class no training example "
        "has: 'new' (2)."
    )
    with pytest.warns(DatainfWarning, match=f"^{re.escape(message)}$"):
        found = class_detection(more, TRAIN, ["c", "new", "a", "b", "new"])
    assert found.excluded == {"new": 2}
    assert found.measured.tolist() == [0, 2, 3]
    assert len(found.per_query) == Q


def test_classes_may_be_numbers(scores) -> None:
    numbers = {"a": 0, "b": 1, "c": 2}
    found = class_detection(
        scores, [numbers[c] for c in TRAIN], [numbers[c] for c in ASKED]
    )
    assert found.auc == class_detection(scores, TRAIN, ASKED).auc


def test_without_a_known_class_there_is_nothing_to_measure(scores) -> None:
    with refuses(
        "class detection: no query's class is among the training classes; classes of "
        "the queries: 'x' (2), 'y' (1)."
    ):
        class_detection(scores, TRAIN, ["x", "y", "x"])


def test_one_training_class_is_refused(scores) -> None:
    with refuses(
        "class detection needs training examples of at least two classes, got 11 of "
        "one."
    ):
        class_detection(scores, ["a"] * N, ["a"] * Q)


@pytest.mark.parametrize("absent", [None, float("nan")])
def test_a_missing_class_is_refused(scores, absent) -> None:
    with refuses(
        "class detection: query 1 has no class (1 of 3 have none); leave such rows "
        "out, or name their class."
    ):
        class_detection(scores, TRAIN, np.array(["a", absent, "b"], dtype=object))


def test_shapes_must_fit(scores) -> None:
    with refuses(
        "class detection: scores of shape [3, 11] need one class a column and one a "
        "row, got [3] training and [11] query classes."
    ):
        class_detection(scores, ASKED, TRAIN)


def test_a_score_that_is_no_number_is_refused(scores) -> None:
    scores[1, 2] = np.nan
    with refuses("score of row 13 is nan; give finite numbers.", NonFiniteError):
        class_detection(scores, TRAIN, ASKED)
