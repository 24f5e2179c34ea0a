"""`less` against cosines with real AdamW steps, row by row."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.estimators.less import LESS
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    SIZES,
    N,
    Q,
    checkpoint_of,
    projection_matrix,
    random_gradients,
    random_moments,
)
from tests.reference import adam_steps, side_by_side

RATES = (0.5, 0.2)


def test_scores_are_cosines_with_the_steps_that_adamw_takes():
    sets = [(random_gradients(N, s), random_gradients(Q, s + 9)) for s in (1, 2)]
    moments = [random_moments(sets[0][0], seed) for seed in (4, 5)]
    found = LESS(projection=13, seed=2).score_checkpoints(
        [
            replace(checkpoint_of(*pair, weight=rate), moments=known)
            for pair, rate, known in zip(sets, RATES, moments, strict=True)
        ]
    )
    p = projection_matrix(13, 2)
    expected = np.zeros((Q, N))
    for (train, queries), rate, known in zip(sets, RATES, moments, strict=True):
        steps = side_by_side(adam_steps(train, known), list(SIZES)) @ p
        asked = side_by_side(queries, list(SIZES)) @ p
        for q, v in enumerate(asked):
            for k, step in enumerate(steps):
                cosine = torch.nn.functional.cosine_similarity(v, step, dim=0)
                expected[q, k] -= rate * float(cosine)
    np.testing.assert_allclose(found.values, expected, rtol=1e-8, atol=1e-10)
    assert any("were projected to 13" in note for note in found.provenance.notes)


def test_scores_lie_within_the_sum_of_the_weights():
    found = LESS().score_checkpoints([checkpoint_of(weight=w) for w in RATES])
    assert np.abs(found.values).max() <= sum(RATES)


def test_no_moments_are_refused_by_the_checkpoints_name():
    said = (
        "less needs Adam's moments at each checkpoint, and {}; train with checkpoints "
        "that keep the optimizer (save_strategy: epoch) and give "
        "score([Checkpoint(..., moments=...), ...])."
    )
    bare = replace(checkpoint_of(name="checkpoint-20"), moments=None)
    message = re.escape(said.format("checkpoint-20 has none"))
    with pytest.raises(OptionError, match=f"^{message}$"):
        LESS().score_checkpoints([bare])
    rows = InMemorySource(random_gradients(N, 1))
    message = re.escape(said.format("gradients alone have none"))
    with pytest.raises(OptionError, match=f"^{message}$"):
        LESS().score(LESS().fit(rows), rows, rows)


@pytest.mark.parametrize("normalize", ["none", "relatif"])
def test_steps_are_always_of_unit_length(normalize):
    message = (
        f"less scales every Adam step to unit length, got normalize='{normalize}'; "
        "leave it out."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        LESS(normalize=normalize)
