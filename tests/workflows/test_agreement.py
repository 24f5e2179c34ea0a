"""Agreement with `exact`: the correlation, when it is computed, what is said."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.core.records import Scores
from datainf.estimators.cost import Cost
from datainf.estimators.dot import Dot
from datainf.estimators.exact import Exact
from datainf.estimators.table import METHODS
from datainf.store.memory import InMemorySource
from datainf.workflows import agreement as module
from datainf.workflows.score import score
from tests.estimators.gradient_sets import N, Q, random_gradients, source_of


def scored(method="datainf", **options):
    train, queries = (source_of(random_gradients(n, n)) for n in (N, Q))
    return score(train, queries, method=method, **options)


def by_hand(a, b):
    """1 − 6 Σ d² / (n³ − n), for rows without ties."""
    ranks = [[sorted(row).index(value) for value in row] for row in (a, b)]
    d2 = sum((x - y) ** 2 for x, y in zip(*ranks, strict=True))
    return 1 - 6 * d2 / (len(a) ** 3 - len(a))


@pytest.mark.parametrize(
    "method", [name for name in METHODS if METHODS[name].cls.compared]
)
def test_agreement_is_the_rank_correlation_with_exact(method):
    made = scored(method)
    normalize = "example" if method == "cosine" else "none"
    exact = scored("exact", normalize=normalize)
    expected = [by_hand(*rows) for rows in zip(made.values, exact.values, strict=True)]
    np.testing.assert_allclose(made.agreement, expected, atol=1e-12)
    if method in {"exact", "cg", "auto"}:
        assert (made.agreement == 1).all()


def test_the_same_damping_blocks_and_normalisation_are_compared():
    options = {"damping": 3.0, "blocks": "all", "normalize": "relatif"}
    made, exact = (scored(name, **options) for name in ("datainf", "exact"))
    expected = [by_hand(*rows) for rows in zip(made.values, exact.values, strict=True)]
    np.testing.assert_allclose(made.agreement, expected, atol=1e-12)
    assert not np.allclose(made.agreement, scored().agreement)


def test_false_computes_none():
    made = scored(agreement=False)
    assert np.isnan(made.agreement).all()
    assert made.provenance.notes == ()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Cost(11, 2**20), "it would take about 11 s and 0.00098 GiB"),
        (Cost(1, 2**60), "it would take about 1 s and 1.1e+09 GiB"),
    ],
)
def test_unasked_it_is_computed_only_where_exact_is_cheap(monkeypatch, found, said):
    monkeypatch.setattr(module, "cost", lambda *_, **__: found)
    made = scored()
    assert np.isnan(made.agreement).all()
    assert made.provenance.notes == (
        f"agreement with exact was not computed: {said}; agreement=True asks.",
    )
    assert np.isfinite(scored(agreement=True).agreement).all()


def test_a_matrix_too_large_is_said_unasked_and_refused_when_asked(monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Small(Exact):
        max_bytes: int = 8

    monkeypatch.setattr(module, "Exact", Small)
    (note,) = scored().provenance.notes
    assert note.startswith(
        "agreement with exact was not computed: its matrices exceed 7.45e-09 GiB; "
    )
    with pytest.raises(OptionError, match=r"^exact: curvature group .* needs a "):
        scored(agreement=True)


def test_a_method_that_approximates_another_system_is_not_compared(monkeypatch):
    monkeypatch.setattr(Dot, "compared", False)
    assert np.isnan(scored("dot").agreement).all()
    message = (
        "dot does not approximate the system that exact solves; leave agreement out."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        scored("dot", agreement=True)


def test_agreement_is_saved_and_scores_without_it_are_read(tmp_path):
    made = scored()
    np.testing.assert_array_equal(
        Scores.load(made.save(tmp_path / "with")).agreement, made.agreement
    )
    none = scored(agreement=False)
    assert np.isnan(Scores.load(none.save(tmp_path / "without")).agreement).all()


def test_a_query_of_zero_has_no_agreement():
    train, queries = random_gradients(N, 1), random_gradients(Q, 2)
    for tensor in queries.values():
        tensor[1] = torch.zeros_like(tensor[1])
    found = score(InMemorySource(train), InMemorySource(queries)).agreement
    assert np.isnan(found).tolist() == [False, True, False]
