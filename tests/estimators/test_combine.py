"""Scores of several checkpoints as one: sums, the worst residual, notes."""

from typing import Any

import numpy as np

from datainf.core.records import Provenance, Scores
from datainf.estimators.combine import combined, times_columns

NAN = float("nan")


def scores(value: float, *, notes: tuple[str, ...] = (), **options: Any) -> Scores:
    values = value * np.arange(1.0, 7.0).reshape(2, 3)
    return Scores(
        values=values,
        groups=("a",),
        residual=np.array(options.get("residual", [[NAN], [NAN]])),
        scale=np.array(options.get("scale", [[NAN], [NAN]])),
        per_block=values[None].copy(),
        provenance=Provenance(method="m", options={"x": 1}, notes=notes),
    )


def test_values_and_blocks_are_weighted_sums():
    parts = [scores(2.0), scores(5.0)]
    found = combined([("a", 3.0, parts[0]), ("b", 0.5, parts[1])])
    expected = 3 * parts[0].values + 0.5 * parts[1].values
    np.testing.assert_allclose(found.values, expected)
    assert found.per_block is not None
    np.testing.assert_allclose(found.per_block[0], expected)
    assert parts[0].values[0, 0] == 2.0
    assert found.provenance.options == {"x": 1, "checkpoint_weights": [3.0, 0.5]}


def test_one_checkpoint_of_weight_one_is_as_if_there_were_none():
    found = combined([("a", 1.0, scores(2.0, notes=("said",)))])
    assert found.provenance == scores(2.0, notes=("said",)).provenance


def test_the_worst_residual_is_kept_with_its_scale():
    parts = [
        scores(1, residual=[[0.2], [NAN]], scale=[[1.0], [NAN]]),
        scores(1, residual=[[0.5], [0.1]], scale=[[2.0], [3.0]]),
        scores(1, residual=[[0.3], [NAN]], scale=[[4.0], [NAN]]),
    ]
    found = combined([(str(i), 1.0, part) for i, part in enumerate(parts)])
    assert found.residual.tolist() == [[0.5], [0.1]]
    assert found.scale.tolist() == [[2.0], [3.0]]


def test_notes_of_all_come_once_and_others_by_name():
    parts = [scores(1, notes=("same", "mine")), scores(1, notes=("same",))]
    found = combined([("c-1", 1.0, parts[0]), ("c-2", 1.0, parts[1])])
    assert found.provenance.notes == ("same", "c-1: mine")


def test_columns_are_multiplied_in_blocks_too_and_keep_their_dtype():
    made = scores(1.0)
    found = times_columns(made, np.array([1, 2, 3], dtype=np.float32))
    np.testing.assert_array_equal(found.values, made.values * [1, 2, 3])
    assert found.per_block is not None
    np.testing.assert_array_equal(found.per_block[0], found.values)
    assert found.values.dtype == np.float64
