"""The bootstrap interval: known widths, seeds, and measures that are not defined."""

import re

import numpy as np
import pytest

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.bootstrap import (
    Interval,
    bootstrap_interval,
    crossed_draws,
    interval_of,
)
from datainf.evaluation.detection import detection_auc

VALUES = np.random.default_rng(3).standard_normal(401)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    low, high = bootstrap_interval(np.mean, VALUES, draws=2000)
    error = VALUES.std() / np.sqrt(len(VALUES))
    assert low == pytest.approx(VALUES.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(VALUES.mean() + 1.96 * error, abs=0.15 * error)


def test_a_lower_level_gives_a_narrower_interval() -> None:
    wide = bootstrap_interval(np.mean, VALUES, draws=301, level=0.95)
    narrow = bootstrap_interval(np.mean, VALUES, draws=301, level=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_seed_decides() -> None:
    first = bootstrap_interval(np.mean, VALUES, draws=31, seed=1)
    assert first == bootstrap_interval(np.mean, VALUES, draws=31, seed=1)
    assert first != bootstrap_interval(np.mean, VALUES, draws=31, seed=2)


def test_columns_are_drawn_together() -> None:
    def apart(left: np.ndarray, right: np.ndarray) -> float:
        return float(np.abs(left - right).max())

    assert bootstrap_interval(apart, VALUES, VALUES, draws=31) == Interval(0, 0)


def test_resamples_without_a_measure_are_drawn_again() -> None:
    # one wrong row of 7 is missing from about a third of the resamples
    suspicion, flipped = np.arange(7.0), np.arange(7) == 5
    low, high = bootstrap_interval(detection_auc, suspicion, flipped, draws=101)
    assert 0 <= low < 5 / 6 < high <= 1


def test_a_measure_that_is_seldom_defined_has_no_interval() -> None:
    def rarely(values: np.ndarray) -> float:
        if len(set(values)) < len(VALUES):
            raise DataError("not defined")
        return 0.0

    message = (
        "bootstrap: the measure is defined on 0 of 62 resamples of these rows; there "
        "are too few rows of a kind for an interval."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        bootstrap_interval(rarely, VALUES, draws=31)


def test_what_is_wrong_with_the_rows_themselves_is_said_as_it_is() -> None:
    with pytest.raises(DataError, match=r"^a detection AUC needs wrong and right rows"):
        bootstrap_interval(detection_auc, [1.0, 2.0], [False, False])


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"level": 1.0}, {"level": 0.0}])
def test_options_out_of_range_are_refused(wrong) -> None:
    asked = {"draws": 1000, "level": 0.95} | wrong
    message = (
        "bootstrap: draws must be at least 1 and level between 0 and 1, got "
        f"draws={asked['draws']} and level={asked['level']}."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        bootstrap_interval(np.mean, VALUES, **wrong)


@pytest.mark.parametrize("columns", [(), ([],)])
def test_there_must_be_rows(columns) -> None:
    message = "bootstrap: give at least one column with at least one row."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        bootstrap_interval(np.mean, *columns)


def test_columns_must_be_of_the_same_rows() -> None:
    message = "bootstrap: columns must be of the same rows, got lengths 7, 5."
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        bootstrap_interval(np.mean, np.arange(7.0), np.arange(5.0))


# --- both sides of a table ----------------------------------------------------------


def test_crossed_draws_tell_how_often_each_row_and_column_was_drawn():
    seen = []

    def measure(rows, columns):
        seen.append((rows, columns))
        return float(rows @ np.arange(3) + columns @ np.arange(5))

    draws = crossed_draws(measure, (3, 5), draws=11, seed=2)
    assert len(draws) == len(seen) == 11
    assert all((r.sum(), c.sum()) == (3, 5) for r, c in seen)
    np.testing.assert_array_equal(
        draws, crossed_draws(measure, (3, 5), draws=11, seed=2)
    )


def test_crossed_draws_that_are_not_defined_are_drawn_again():
    def measure(rows, columns):
        if rows[0] > columns[0]:
            raise DataError("not defined")
        return float(rows[0])

    assert len(crossed_draws(measure, (3, 5), draws=11)) == 11


def test_crossed_draws_give_up_when_most_are_not_defined():
    def measure(rows, columns):
        raise DataError(f"{rows}{columns}")

    with pytest.raises(DataError, match="defined on 0 of 22 resamples"):
        crossed_draws(measure, (3, 5), draws=11)


def test_the_interval_of_draws_holds_their_middle():
    low, high = interval_of(np.arange(101.0), 0.9)
    assert (low, high) == pytest.approx((5, 95))
