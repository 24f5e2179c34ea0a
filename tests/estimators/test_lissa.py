"""`lissa`: the recursion as written, its scale and its verdict."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import NonFiniteError, OptionError
from datainf.estimators import lissa
from datainf.estimators.lissa import LiSSA
from datainf.linalg.neumann import neumann_solve
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import SIZES, N, Q, random_gradients, scored
from tests.reference import mean_square_damping, neumann_matrix


def test_ten_steps_at_a_given_scale_are_the_series_of_ten_terms():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    made = scored("lissa", options={"scale": 150.0, "tolerance": 1e-300})
    expected = np.zeros((Q, N))
    for name, g in train.items():
        p = neumann_matrix(g, mean_square_damping(g, 0.1), 150.0, 10)
        expected -= (queries[name] @ p @ g.T).numpy()
    np.testing.assert_allclose(made.values, expected, rtol=1e-9)


def test_the_verdict_when_converged():
    made = scored("lissa", options={"steps": 3000})
    (note,) = made.provenance.notes
    found = re.fullmatch(
        r"converged: largest relative residual (\S+) after (\d+) steps\.", note
    )
    assert found
    assert float(found[1]) <= 1e-5
    assert 10 < int(found[2]) < 3000
    assert made.residual.max() <= 1e-5


def test_the_verdict_when_not_converged():
    made = scored("lissa")
    (note,) = made.provenance.notes
    found = re.fullmatch(
        r"not converged: (\d) of 5 curvature groups miss the tolerance 1\.0e-05 after "
        r"10 steps; largest relative residual (\S+) in (\S+); raise steps or damping\.",
        note,
    )
    assert found
    assert 1 <= int(found[1]) <= 4  # the block of one parameter always converges
    assert 1e-5 < float(found[2]) < 1
    assert made.residual[:, list(SIZES).index(found[3])].max() > 1e-5


def test_without_any_gradient_there_is_no_verdict():
    zeros = {name: torch.zeros(N, d) for name, d in SIZES.items()}
    (note,) = scored("lissa", zeros).provenance.notes
    assert note.startswith("5 of 5 curvature groups have only zero gradients")


@pytest.mark.parametrize("seed", range(5))
def test_the_estimated_scale_converges_for_any_start(seed):
    made = scored("lissa", blocks="all", options={"steps": 3000, "seed": seed})
    assert made.provenance.notes[0].startswith("converged: ")


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_the_scale_never_exceeds_trace_plus_lambda(rows, monkeypatch):
    used = []

    def spy(*args, **options):
        used.append(options["scale"])
        return neumann_solve(*args, **options)

    monkeypatch.setattr(lissa, "neumann_solve", spy)
    train = random_gradients(rows, 1)
    scored("lissa", train)
    for scale, g in zip(used, train.values(), strict=True):
        h = g.T @ g / rows
        lam = mean_square_damping(g, 0.1)
        assert scale <= float(h.trace()) * (1 + 1e-9) + lam
        assert scale >= float(torch.linalg.eigvalsh(h)[-1]) * (1 - 1e-9) + lam


def test_divergence_names_the_group():
    train = InMemorySource(random_gradients(N, 1))
    estimator = LiSSA(scale=0.01)
    message = (
        r"lissa, curvature group h\.0\.q\.lora_A\.weight: the Neumann recursion "
        r"diverges: the relative residual rose to \S+ in step 0 at scale s = 0\.01, "
        r"which must exceed half the largest eigenvalue of the damped curvature; raise "
        r"scale\."
    )
    with pytest.raises(NonFiniteError, match=f"^{message}$"):
        estimator.score(estimator.fit(train), train, train)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("steps", 0, "a whole number of at least 1"),
        ("seed", -1, "a whole number of at least 0"),
        ("tolerance", 0.0, "a positive number"),
        ("scale", -2.0, "a positive number"),
    ],
)
def test_options_out_of_range_are_refused(option, value, expected):
    message = f"lissa: {option} must be {expected}, got {value!r}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        LiSSA(**{option: value})
