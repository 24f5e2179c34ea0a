"""`ekfac` against the eigenvectors of Kronecker products that are formed."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.core.factors import Factors
from datainf.core.layout import Layout
from datainf.estimators.ekfac import EKFAC
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    FACTORS,
    GROUPS,
    N,
    Q,
    random_factor,
    random_gradients,
    scored,
)
from tests.reference import influence_by_inverse

SHAPES = {"a": (3, 5), "b": (2, 7), "bias": (11,)}
PAIRS = {
    n: (random_factor(SHAPES[n][1], 1), random_factor(SHAPES[n][0], 2)) for n in "ab"
}


def gradients(rows: int, seed: int) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    layout = Layout.from_shapes(SHAPES)
    return {
        name: torch.randn(rows, size, generator=chance, dtype=torch.float64)
        for name, size in layout.sizes.items()
    }


def source(rows: int, seed: int) -> InMemorySource:
    factors = {name: Factors(*pair) for name, pair in PAIRS.items()}
    return InMemorySource(
        gradients(rows, seed), Layout.from_shapes(SHAPES), factors=factors
    )


@pytest.mark.parametrize("damping", [0.1, 3.0])
@pytest.mark.parametrize("normalize", ["none", "example", "block"])
def test_scores_are_those_of_the_explicit_eigenbasis(damping, normalize):
    estimator = EKFAC(damping=damping, normalize=normalize)
    rows = source(N, 1)
    made = estimator.score(estimator.fit(rows), rows, source(Q, 2))
    expected = influence_by_inverse(
        "ekfac",
        gradients(N, 1),
        gradients(Q, 2),
        groups=[[name] for name in SHAPES],
        damping=damping,
        normalize=normalize,
        factors=PAIRS,
    )
    np.testing.assert_allclose(made.values, expected, rtol=1e-8)
    assert made.provenance.notes == (
        "1 tensors have no Kronecker factors, so the diagonal of the curvature stands "
        "for them: bias.",
    )


@pytest.mark.parametrize("blocks", GROUPS)
def test_tensors_of_a_group_share_their_damping_alone(blocks):
    made = scored("ekfac", blocks=blocks)
    expected = influence_by_inverse(
        "ekfac",
        random_gradients(N, 1),
        random_gradients(Q, 2),
        groups=GROUPS[blocks],
        factors=FACTORS,
    )
    np.testing.assert_allclose(made.values, expected, rtol=1e-8)


def test_it_is_exact_where_the_curvature_has_the_eigenvectors():
    """Rows √(d) times an orthonormal Kronecker basis, scaled: G is diagonal in it."""
    inputs, outputs = PAIRS["a"]
    left, right = (torch.linalg.eigh(each).eigenvectors for each in (outputs, inputs))
    rows = torch.kron(left, right).T * torch.arange(1.0, 16).double()[:, None]
    train = {"a": rows}
    factors = {"a": Factors(inputs, outputs)}
    ground = InMemorySource(train, factors=factors)
    estimator = EKFAC()
    queries = InMemorySource({"a": gradients(Q, 2)["a"]})
    made = estimator.score(estimator.fit(ground), ground, queries)
    exact = scored("exact", train, {"a": gradients(Q, 2)["a"]})
    np.testing.assert_allclose(made.values, exact.values, rtol=1e-8)
    assert made.residual.max() < 1e-10


def test_many_tensors_without_factors_are_named_in_short():
    train = {f"b{i}": torch.randn(N, 3) for i in range(7)}
    rows = InMemorySource(train, factors={})
    (note,) = EKFAC().score(EKFAC().fit(rows), rows, rows).provenance.notes
    assert note.startswith("7 tensors have no")
    assert note.endswith("for them: b0, b1, b2, b3, b4, ....")


class Bare:
    """A source that has never heard of factors."""

    def __init__(self, given: InMemorySource) -> None:
        self.layout, self.rows, self._given = given.layout, given.rows, given

    def __len__(self) -> int:
        return len(self._given)


@pytest.mark.parametrize("wrap", [Bare, lambda given: given])
def test_rows_without_factors_are_refused_with_what_to_do(wrap):
    message = (
        "ekfac needs Kronecker factors, and the curvature rows have none: gather them "
        "with collect(factors=True) (datainf collect --factors), which only adds them "
        "to a store that is there; attribute and mislabeled do so by themselves."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        EKFAC().fit(wrap(InMemorySource(gradients(N, 1))))


def test_factors_of_another_matrix_are_refused():
    rows = InMemorySource(
        {"a": torch.ones(2, 15)}, factors={"a": Factors(torch.eye(5), torch.eye(2))}
    )
    message = (
        "the factors of block a belong to a 2×5 matrix, the block has 15 parameters; "
        "give the factors of these rows."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        EKFAC().score(EKFAC().fit(rows), rows, rows)
