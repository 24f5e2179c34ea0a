"""damping="auto": the criterion, group by group, whatever the rows' order."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.estimators import held_out
from datainf.estimators.held_out import GRID, LEAST, said, sample
from datainf.estimators.table import METHODS, build
from datainf.linalg.held_out import held_out_losses
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    GROUPS,
    Portioned,
    Q,
    random_gradients,
    scored,
    source_of,
    without,
)
from tests.reference import mean_square_damping, scaled_rows, side_by_side

DIVIDING = [method for method in METHODS if METHODS[method].cls.divides]
ROWS = 23


def lambdas_by_hand(train, names, *, normalize="none"):
    order = side_by_side(train, list(train)).norm(dim=1).argsort()
    g = side_by_side(scaled_rows(train, normalize), names)
    one = mean_square_damping(g, 1.0)
    gram = g[order] @ g[order].T
    losses = held_out_losses(gram, [damping * one for damping in GRID])
    return GRID[int(losses.argmin())] * one


@pytest.mark.parametrize("blocks", ["tensor", "layer"])
@pytest.mark.parametrize("normalize", ["none", "example", "block"])
def test_each_group_takes_the_damping_that_does_best_on_unseen_rows(normalize, blocks):
    train = random_gradients(ROWS, 1)
    estimator = build("datainf", damping="auto", blocks=blocks, normalize=normalize)
    state = estimator.fit(Portioned(train, 5))
    assert len(set(state.damping.values())) > 1
    for found, names in zip(state.damping.values(), GROUPS[blocks], strict=True):
        expected = lambdas_by_hand(train, names, normalize=normalize)
        assert found == pytest.approx(expected, rel=1e-12)


def test_fewer_rows_are_looked_at_than_there_are(monkeypatch):
    monkeypatch.setattr(held_out, "SAMPLED", 9)
    lengths = torch.arange(ROWS, dtype=torch.float64).flip(0)
    assert sample(lengths) == [22, 19, 16, 14, 11, 8, 6, 3, 0]
    state = build("exact", damping="auto").fit(InMemorySource(random_gradients(23, 1)))
    assert all(np.isfinite(list(state.damping.values())))


@pytest.mark.parametrize("method", DIVIDING)
def test_the_order_of_the_rows_does_not_matter(method):
    train = random_gradients(ROWS, 1)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(3)).tolist()
    turned = {name: tensor[order] for name, tensor in train.items()}
    plain, permuted = (scored(method, rows, damping="auto") for rows in (train, turned))
    np.testing.assert_allclose(permuted.values, plain.values[:, order], rtol=1e-9)


@pytest.mark.parametrize("method", DIVIDING)
def test_scores_are_those_of_the_damping_that_was_chosen(method):
    train, queries = random_gradients(ROWS, 1), random_gradients(Q, 2)
    # one group, so that one number says all
    found = scored(method, train, queries, damping="auto", blocks="all")
    estimator = build(method, damping="auto", blocks="all")
    [lam] = estimator.fit(source_of(train)).damping.values()
    one = mean_square_damping(side_by_side(train, list(train)), 1.0)
    fixed = scored(method, train, queries, damping=lam / one, blocks="all")
    np.testing.assert_allclose(found.values, fixed.values, rtol=1e-9)
    assert found.provenance.options["damping"] == "auto"
    assert found.provenance.notes[0] == said({"all": lam / one})


def test_what_was_chosen_is_said():
    assert said({"a": 10.0, "b": 0.1, "c": 1.0}) == (
        "damping='auto' chose by held-out rows: 1 in the middle group of 3, from 0.1 "
        "to 10."
    )


def test_a_group_without_gradients_is_as_silent_as_with_a_number():
    train = without(random_gradients(ROWS, 1), "h.0.q.lora_A.weight")
    made = scored("datainf", train, damping="auto", keep_blocks=True)
    assert made.per_block is not None
    assert not made.per_block[0].any()


def test_a_sample_without_gradients_of_a_group_is_damped_most(monkeypatch):
    monkeypatch.setattr(held_out, "SAMPLED", 8)
    train = without(random_gradients(ROWS, 1), "score.bias")
    lengths = side_by_side(train, list(train)).norm(dim=1)
    unseen = sorted(set(range(ROWS)) - set(sample(lengths)))
    train["score.bias"][unseen[0]] = 1e-6
    state = build("datainf", damping="auto").fit(InMemorySource(train))
    one = mean_square_damping(train["score.bias"], 1.0)
    assert state.damping["score.bias"] == pytest.approx(GRID[-1] * one)


def test_too_few_rows_are_refused():
    message = (
        "damping='auto' judges the inverse on rows it has not seen and needs at least "
        f"{LEAST} curvature rows, got 7; give a number."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        scored("datainf", damping="auto")


@pytest.mark.parametrize("method", [m for m in METHODS if m not in DIVIDING])
def test_methods_without_damping_refuse_it(method):
    message = f"{method} does not use damping, got 'auto'; leave it out."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        build(method, damping="auto")
