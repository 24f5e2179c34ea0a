"""What all methods share: options, state, notes."""

import re
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch

from datainf.core.errors import DataError, OptionError, StoreError
from datainf.estimators.base import Estimator, State
from datainf.estimators.datainf import DataInf
from datainf.estimators.dot import Dot
from datainf.estimators.table import METHODS, build
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    GROUPING,
    GROUPS,
    N,
    Q,
    checkpoint_of,
    random_gradients,
    scored,
)
from tests.reference import mean_square_damping, scaled_rows, side_by_side


def refuses(kind, message):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("method", METHODS)
def test_estimators_are_frozen_values(method):
    made = build(method)
    assert made == build(method)
    assert hash(made) == hash(build(method))
    with pytest.raises(FrozenInstanceError):
        made.blocks = "all"  # type: ignore[misc]


@pytest.mark.parametrize("method", GROUPING)
def test_estimators_with_other_options_are_others(method):
    assert build(method) != build(method, blocks="all")


@pytest.mark.parametrize("method", METHODS)
def test_none_stands_for_the_methods_own_default(method):
    cls = METHODS[method].cls
    made = cls(**dict.fromkeys([option.name for option in fields(Estimator)]))
    assert made == cls() == build(method)


def test_words_become_members_and_unknown_ones_are_refused():
    assert DataInf(blocks="all", normalize="example").options() == {
        "damping": 0.1,
        "blocks": "all",
        "normalize": "example",
    }
    with refuses(
        OptionError,
        "blocks='layers' is unknown: expected one of: tensor, module, layer, all; did "
        "you mean 'layer'?.",
    ):
        DataInf(blocks="layers")
    with refuses(
        OptionError,
        "normalize='rows' is unknown: expected one of: none, example, block, relatif.",
    ):
        DataInf(normalize="rows")


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].cls.divides])
@pytest.mark.parametrize("damping", [0.0, -0.1, float("nan"), float("inf")])
def test_a_damping_that_is_not_positive_is_refused(method, damping):
    with refuses(
        OptionError, f"{method}: damping must be a positive number, got {damping!r}."
    ):
        build(method, damping=damping)


@pytest.mark.parametrize("method", ["dot", "cosine"])
def test_a_damping_without_use_is_refused(method):
    with refuses(OptionError, f"{method} does not use damping, got 0.1; leave it out."):
        build(method, damping=0.1)


@pytest.mark.parametrize("normalize", ["none", "example", "block"])
@pytest.mark.parametrize("blocks", GROUPS)
def test_fit_finds_lambda_of_each_group_from_lengths_alone(blocks, normalize):
    train = random_gradients(N, 1)

    class NormsOnly(InMemorySource):
        def rows(self, blocks=None, *, size=None):
            assert blocks == []
            return super().rows(blocks, size=size)

    estimator = DataInf(damping=0.3, blocks=blocks, normalize=normalize)
    source = NormsOnly(train)
    state = estimator.fit(source)
    rows = scaled_rows(train, normalize)
    expected = [
        mean_square_damping(side_by_side(rows, names), 0.3) for names in GROUPS[blocks]
    ]
    assert list(state.damping.values()) == pytest.approx(expected, rel=1e-12)
    assert state.estimator is estimator
    assert state.source is source


def test_methods_without_damping_have_an_empty_state():
    source = InMemorySource(random_gradients(N, 1))
    assert Dot().fit(source) == State(Dot(), source, {})


def test_a_state_of_another_estimator_is_refused():
    source = InMemorySource({"a": torch.ones(2, 3)})
    state = DataInf(damping=0.2).fit(source)
    with refuses(
        OptionError,
        f"the state was fitted by {DataInf(damping=0.2)}, not by {DataInf()}; fit "
        "again.",
    ):
        DataInf().score(state, source, source)


@pytest.mark.parametrize("other", ["candidates", "queries"])
def test_gradients_of_other_tensors_are_refused(other):
    mine, foreign = (InMemorySource({name: torch.ones(2, 3)}) for name in "ab")
    candidates, queries = mine, mine
    if other == "candidates":
        candidates = foreign
    else:
        queries = foreign
    with refuses(
        StoreError,
        f"{other} and curvature rows hold gradients of different tensors: b [3] "
        "against a [3]; collect both with the same adapter.",
    ):
        DataInf().score(DataInf().fit(mine), candidates, queries)


def test_a_curvature_of_no_rows_is_refused():
    source = InMemorySource({"a": torch.ones(2, 3)})
    source._squared_norms = source._squared_norms[:0]
    with refuses(
        DataError, "curvature rows hold no rows; collect at least one example."
    ):
        DataInf().fit(source)


@pytest.mark.parametrize("blocks", GROUPS)
@pytest.mark.parametrize("method", GROUPING)
def test_scores_say_how_they_were_made(method, blocks):
    made = scored(method, blocks=blocks)
    named = "exact" if method == "auto" else method  # what it chose for so few rows
    assert made.provenance.method == named
    assert made.provenance.options == build(named, blocks=blocks).options()
    assert len(made.groups) == len(GROUPS[blocks])
    assert made.values.shape == (Q, N)
    assert made.per_block is None


@pytest.mark.parametrize("blocks", ["tensor", "module", "layer"])
@pytest.mark.parametrize("method", sorted({*METHODS} - {*GROUPING}))
def test_a_method_that_mixes_blocks_takes_no_groups(method, blocks):
    with refuses(
        OptionError,
        f"{method} takes all blocks together, got blocks='{blocks}'; leave it out.",
    ):
        build(method, blocks=blocks)
    assert scored(method).groups == ("all",)


@pytest.mark.parametrize("method", ["dot", "datainf", "exact", "tracin"])
def test_scores_over_checkpoints_are_the_weighted_sum(method):
    estimator = build(method)
    both = [
        checkpoint_of(random_gradients(N, seed), weight=weight)
        for seed, weight in ((1, 0.3), (5, 0.7))
    ]
    parts = [scored(method, random_gradients(N, seed)) for seed in (1, 5)]
    found = estimator.score_checkpoints(both)
    expected = 0.3 * parts[0].values + 0.7 * parts[1].values
    np.testing.assert_allclose(found.values, expected, rtol=1e-12)
    np.testing.assert_array_equal(
        found.residual, np.maximum(*(part.residual for part in parts))
    )
    assert found.provenance.options["checkpoint_weights"] == [0.3, 0.7]


def test_the_curvature_of_a_checkpoint_is_used():
    curvature = random_gradients(5, 3)
    found = build("exact").score_checkpoints([checkpoint_of(curvature=curvature)])
    expected = scored("exact", curvature=curvature)
    np.testing.assert_array_equal(found.values, expected.values)


def test_a_method_that_says_nothing_has_no_notes():
    assert scored("datainf").provenance.notes == ()


@pytest.mark.parametrize("method", sorted({*METHODS} - {*GROUPING}))
def test_features_of_whole_gradients_are_not_taken_apart(method):
    rows = InMemorySource(random_gradients(N, 1), losses=torch.zeros(N))
    estimator = build(method)
    state = estimator.fit(rows)
    message = (
        f"{method} scores features made of whole gradients, which cannot be taken "
        "apart into tokens or parameters; use another method."
    )
    with refuses(OptionError, message):
        estimator.precondition(state, rows)
    with refuses(OptionError, message):
        estimator.directions(state, rows, rows)


def test_estimator_itself_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Estimator()  # type: ignore[abstract]
