"""`cg`: equal to `exact` to its tolerance, and its verdict."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.estimators.cg import CG
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import GROUPS, N, Q, random_gradients, scored

WIDE_N, D, WIDE_Q = 211, 307, 13


def decaying(rows, seed, dtype=torch.float32):
    """Rows whose spectrum falls as real gradients' does."""
    chance = torch.Generator().manual_seed(seed)
    fall = torch.arange(1, D + 1, dtype=torch.float64) ** -0.7
    rows = torch.randn(rows, D, generator=chance, dtype=torch.float64) * fall
    return {"w": rows.to(dtype)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("damping", [0.1, 1e-3])
def test_equals_exact_to_the_tolerance_whatever_the_sketch_leaves(damping, dtype):
    train, queries = decaying(WIDE_N, 1, dtype), decaying(WIDE_Q, 2, dtype)
    exact = scored("exact", train, queries, damping=damping).values
    for rank in (5, 100):
        made = scored("cg", train, queries, damping=damping, options={"rank": rank})
        size = np.abs(exact).max(axis=1, keepdims=True)
        assert (np.abs(made.values - exact) / size).max() < 1e-5
        assert made.residual.max() <= 1e-6
        assert made.provenance.notes[0].startswith("converged: largest relative resid")


def test_a_tight_tolerance_is_exact_to_rounding():
    train, queries = (decaying(n, n, torch.float64) for n in (WIDE_N, WIDE_Q))
    exact = scored("exact", train, queries).values
    options = {"rank": 5, "tolerance": 1e-12}
    made = scored("cg", train, queries, options=options).values
    np.testing.assert_allclose(made, exact, rtol=0, atol=1e-9 * np.abs(exact).max())


def test_what_misses_the_tolerance_is_named():
    train, queries = decaying(WIDE_N, 1), decaying(WIDE_Q, 2)
    queries["w"][3] = 0
    made = scored("cg", train, queries, options={"rank": 1, "max_steps": 2})
    named, verdict = made.provenance.notes
    assert named == (
        "12 of 13 queries miss the tolerance in w: 0, 1, 2, 4, 5 and 7 more."
    )
    assert re.fullmatch(
        r"not converged: 1 of 1 curvature groups miss the tolerance 1\.0e-06 after 2 "
        r"steps; largest relative residual \S+ in w; raise max_steps, rank or "
        r"damping\.",
        verdict,
    )


def test_rows_of_their_own_are_named_by_their_place_in_the_data():
    rows = InMemorySource(random_gradients(N, 1))
    estimator = CG(rank=1, max_steps=1, blocks="all")
    made = estimator.score_themselves(estimator.fit(rows), rows)
    named, verdict = made.provenance.notes
    assert named == (
        f"7 of 7 training rows miss the tolerance in {made.groups[0]}: 0, 1, 2, 3, 4 "
        "and 2 more."
    )
    assert verdict.startswith("not converged: ")
    relative = scored("cg", normalize="relatif", options={"rank": 1, "max_steps": 30})
    assert relative.provenance.notes[0].startswith("converged: ")


def test_float64_is_said_where_float32_was_not_enough():
    train, queries = decaying(WIDE_N, 1), decaying(WIDE_Q, 2)
    options = {"rank": 5, "tolerance": 1e-9, "max_steps": 5000}
    made = scored("cg", train, queries, damping=1e-7, options=options)
    assert made.provenance.notes[1:] == (
        "float32 could not reach the tolerance in 1 of 1 curvature groups; they went "
        "on in float64.",
    )
    assert made.residual.max() <= 1e-9


def test_without_any_gradient_there_is_no_verdict():
    zeros = {"w": torch.zeros(N, 5)}
    (note,) = scored("cg", zeros, {"w": torch.ones(Q, 5)}).provenance.notes
    assert note.startswith("1 of 1 curvature groups have only zero gradients")


@pytest.mark.parametrize("blocks", GROUPS)
@pytest.mark.parametrize("rows", [1, 2, N])
def test_few_rows_are_solved_in_few_steps(rows, blocks):
    made = scored("cg", random_gradients(rows, 1), blocks=blocks)
    exact = scored("exact", random_gradients(rows, 1), blocks=blocks)
    size = np.abs(exact.values).max()
    np.testing.assert_allclose(made.values, exact.values, rtol=0, atol=1e-9 * size)
    found = re.search(r"after (\d+) steps", made.provenance.notes[0])
    assert found
    assert int(found[1]) <= 3


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("max_steps", 0, "a whole number of at least 1"),
        ("rank", 0, "a whole number of at least 1"),
        ("seed", -1, "a whole number of at least 0"),
        ("tolerance", 0.0, "a positive number"),
    ],
)
def test_options_out_of_range_are_refused(option, value, expected):
    message = f"cg: {option} must be {expected}, got {value!r}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        CG(**{option: value})
