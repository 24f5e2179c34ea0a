"""Layers add up to the scores they are parts of."""

from dataclasses import replace

import numpy as np
import pytest

from datainf.reports.contributions import layers
from tests.reports.fakes import bare_scores

GROUPS = (
    "model.layers.0.q.lora_A.weight",
    "model.layers.0.q.lora_B.weight",
    "model.layers.1.q.lora_A.weight",
    "score.weight",
)


@pytest.fixture(scope="module")
def scores():
    blocks = np.random.default_rng(3).standard_normal((len(GROUPS), 3, 7))
    none = np.full((3, len(GROUPS)), np.nan)
    made = bare_scores(blocks.sum(axis=0))
    return replace(made, groups=GROUPS, residual=none, scale=none, per_block=blocks)


def test_layers_sum_to_the_scores_of_the_listed_rows(scores):
    proponents, opponents = [1, 4], [0, 2, 5]
    found = layers(scores, 2, proponents, opponents)
    assert [layer.name for layer in found] == [
        "model.layers.0",
        "model.layers.1",
        "score",
    ]
    for name, places in (("proponents", proponents), ("opponents", opponents)):
        total = sum(getattr(layer, name) for layer in found)
        assert total == pytest.approx(scores.values[2, places].sum(), rel=1e-12)


def test_the_blocks_of_a_layer_are_added_up(scores):
    first = layers(scores, 0, [3], [])[0]
    assert first.proponents == pytest.approx(scores.per_block[:2, 0, 3].sum())
    assert first.opponents == 0.0


def test_without_blocks_nothing_is_known(scores):
    assert layers(replace(scores, per_block=None), 0, [1], [2]) == ()
