"""Detection measures, by hand and by scikit-learn, and what they refuse."""

import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from datainf.core.errors import DataError
from datainf.evaluation.detection import detection_auc, precision_at, recall_at

SUSPICION = [0.7, -0.3, 0.2, 0.2, -1.0, 0.9, 0.1]
FLIPPED = [True, False, True, False, False, False, True]


def refuses(message: str, error: type[Exception] = DataError):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


def test_positive_influence_is_suspicious() -> None:
    assert detection_auc([1.0, -1.0], [True, False]) == 1.0
    assert detection_auc([-1.0, 1.0], [True, False]) == 0.0


def test_the_auc_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    flipped = rng.random(101) < 0.2
    suspicion = np.round(rng.standard_normal(101) + flipped, 1)  # rounded: with ties
    assert detection_auc(suspicion, flipped) == pytest.approx(
        roc_auc_score(flipped, suspicion), abs=1e-12
    )


def test_equal_suspicions_are_no_better_than_chance() -> None:
    assert detection_auc([0.5] * 7, FLIPPED) == 0.5


def test_precision_and_recall_by_hand() -> None:
    # order: 0.9 right, 0.7 wrong, then a tie of one wrong and one right
    assert precision_at(SUSPICION, FLIPPED, 1) == 0.0
    assert precision_at(SUSPICION, FLIPPED, 2) == 0.5
    assert precision_at(SUSPICION, FLIPPED, 3) == pytest.approx(1.5 / 3)
    assert recall_at(SUSPICION, FLIPPED, 3) == pytest.approx(1.5 / 3)
    assert recall_at(SUSPICION, FLIPPED, 5) == 1.0


def test_ones_and_zeros_are_flags_too() -> None:
    assert detection_auc(SUSPICION, np.array(FLIPPED).astype(int)) == detection_auc(
        SUSPICION, FLIPPED
    )


@pytest.mark.parametrize("kind", [False, True])
def test_rows_of_one_kind_have_no_auc(kind: bool) -> None:
    with refuses(
        f"a detection AUC needs wrong and right rows, got {7 * kind} wrong of 7; it "
        "says nothing about rows of one kind."
    ):
        detection_auc(SUSPICION, [kind] * 7)


def test_recall_needs_a_wrong_row() -> None:
    with refuses("recall needs at least one wrong row, got none of 7."):
        recall_at(SUSPICION, [False] * 7, 2)


def test_every_row_needs_a_flag_that_is_true_or_false() -> None:
    with refuses("suspicion and flipped must be of the same rows, got 7 and 5."):
        detection_auc(SUSPICION, FLIPPED[:5])
    with refuses("flipped must be True or False (1 or 0) for each row, got 2."):
        precision_at(SUSPICION, [0, 1, 2, 0, 0, 1, 0], 3)
