"""`trak` against the written formula with an explicit matrix and inverse."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import DataError, OptionError
from datainf.estimators.trak import TRAK, doubts
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    SIZES,
    N,
    Q,
    checkpoint_of,
    margins_of,
    projection_matrix,
    random_gradients,
    scored,
)
from tests.reference import damped_inverse, mean_square_damping, side_by_side, unit_rows


def by_hand(sets, *, k, seed=0, damping=0.1, curvatures=None):
    """−(mean over sets of φ(v)ᵀ (H + λI)⁻¹ φ(g)) times the mean of 1 − p."""
    p = projection_matrix(k, seed)
    products, doubt = torch.zeros(Q, N).double(), torch.zeros(N).double()
    for number, (train, queries) in enumerate(sets):
        phi, asked = (side_by_side(part, list(SIZES)) @ p for part in (train, queries))
        ground = phi
        if curvatures is not None:
            ground = side_by_side(curvatures[number], list(SIZES)) @ p
        inverse = damped_inverse(ground, mean_square_damping(ground, damping))
        for q in range(Q):
            for i in range(N):
                products[q, i] += float(asked[q] @ inverse @ phi[i]) / len(sets)
        # 1 − p = 1 / (1 + eᶠ), which keeps its digits where p is close to 1
        doubt += torch.sigmoid(-margins_of(train)) / len(sets)
    return (-products * doubt).numpy()


@pytest.mark.parametrize("k", [5, 13])
@pytest.mark.parametrize("seed", [0, 3])
def test_scores_are_those_of_the_explicit_inverse(k, seed):
    pair = random_gradients(N, 1), random_gradients(Q, 2)
    options = {"projection": k, "seed": seed}
    found = scored("trak", *pair, damping=0.3, options=options)
    expected = by_hand([pair], k=k, seed=seed, damping=0.3)
    np.testing.assert_allclose(found.values, expected, rtol=1e-8)
    assert found.residual.max() < 1e-8
    assert any("were projected to" in note for note in found.provenance.notes)


def test_several_checkpoints_are_averaged_before_they_are_multiplied():
    sets = [(random_gradients(N, s), random_gradients(Q, s + 9)) for s in (1, 2, 3)]
    curvatures = [random_gradients(11, s) for s in (21, 22, 23)]
    found = TRAK(projection=5).score_checkpoints(
        [
            checkpoint_of(*pair, curvature=rows, weight=0.1)
            for pair, rows in zip(sets, curvatures, strict=True)
        ],
        keep_blocks=True,
    )
    expected = by_hand(sets, k=5, curvatures=curvatures)
    np.testing.assert_allclose(found.values, expected, rtol=1e-8)
    assert found.per_block is not None
    np.testing.assert_allclose(found.per_block[0], expected, rtol=1e-8)


def test_gradients_that_are_short_are_not_projected():
    pair = random_gradients(N, 1), random_gradients(Q, 2)
    exact = scored("exact", *pair, blocks="all").values
    doubt = torch.sigmoid(-margins_of(pair[0])).numpy()
    found = scored("trak", *pair)
    np.testing.assert_allclose(found.values, exact * doubt, rtol=1e-10)
    assert any("were not projected" in note for note in found.provenance.notes)


def test_unit_length_is_of_the_projected_rows():
    pair = random_gradients(N, 1), random_gradients(Q, 2)
    found = scored("trak", *pair, normalize="example", options={"projection": 5})
    phi = side_by_side(pair[0], list(SIZES)) @ projection_matrix(5, 0)
    phi = unit_rows({"w": phi})["w"]
    asked = side_by_side(pair[1], list(SIZES)) @ projection_matrix(5, 0)
    inverse = damped_inverse(phi, mean_square_damping(phi, 0.1))
    doubt = torch.sigmoid(-margins_of(pair[0]))
    expected = -(asked @ inverse @ phi.T) * doubt
    np.testing.assert_allclose(found.values, expected.numpy(), rtol=1e-8)


def test_self_influence_is_the_score_of_each_row_for_itself():
    train = random_gradients(N, 1)
    estimator = TRAK(projection=5)
    rows = InMemorySource(train, losses=margins_of(train))
    state = estimator.fit(rows)
    pairs = estimator.score(state, rows, rows).values
    found = estimator.score_themselves(state, rows)
    np.testing.assert_allclose(found.values[0], pairs.diagonal(), rtol=1e-10)


def test_margins_of_any_size_give_doubts_between_zero_and_one():
    source = InMemorySource(
        {"w": torch.ones(3, 1)}, losses=torch.tensor([-1e4, 0.0, 1e4])
    )
    assert doubts(source).tolist() == [1.0, 0.5, 0.0]


def test_gradients_without_margins_are_refused():
    rows = InMemorySource(random_gradients(N, 1))
    message = (
        "trak weighs each training row by 1 − p, and these gradients come without "
        "margins; collect them with output='margin', or give InMemorySource(..., "
        "losses=margins)."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        TRAK().score(TRAK().fit(rows), rows, rows)


def test_relatif_is_refused():
    message = (
        "trak weighs training rows by 1 − p already, got normalize='relatif'; use "
        "normalize='none' or 'example'."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        TRAK(normalize="relatif")


def test_lengths_within_blocks_are_refused_since_there_is_one_feature_of_all():
    message = (
        "trak makes one feature of all blocks, got normalize='block'; use "
        "normalize='example'."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        TRAK(normalize="block")
