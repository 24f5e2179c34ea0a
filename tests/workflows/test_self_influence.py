"""`self_influence`: the estimator's, with rows, version and sources attached."""

import numpy as np
import pytest

from datainf.__about__ import __version__
from datainf.core.errors import StoreError
from datainf.core.records import Scores
from datainf.store.memory import InMemorySource
from datainf.workflows.collect import collect
from datainf.workflows.self_influence import self_influence
from tests.cases import TokenTask, encoder, token_rows
from tests.estimators.gradient_sets import GROUPS, N, random_gradients
from tests.reference import own_influence_by_inverse

ROWS = token_rows("encoder")


def test_every_option_reaches_the_method():
    train, curvature = random_gradients(N, 1), random_gradients(5, 3)
    found = self_influence(
        InMemorySource(train),
        method="exact",
        curvature=InMemorySource(curvature),
        damping=0.3,
        blocks="layer",
        normalize="example",
        keep_blocks=True,
    )
    expected = own_influence_by_inverse(
        "exact",
        train,
        groups=GROUPS["layer"],
        damping=0.3,
        normalize="example",
        curvature=curvature,
    )
    np.testing.assert_allclose(found.values, -expected[None], rtol=1e-9)
    assert found.per_block is not None
    assert found.provenance.method == "exact"


def test_rows_and_sources_of_a_store_stand_in_the_scores(tmp_path):
    store = collect(encoder(), ROWS, TokenTask(), out=tmp_path / "train")
    found = self_influence(store)
    assert found.train["text"].tolist() == store.examples["text"].tolist()
    assert found.provenance.version == __version__
    assert set(found.provenance.sources) == {"train", "curvature"}
    again = Scores.load(found.save(tmp_path / "scores"))
    np.testing.assert_array_equal(again.values, found.values)


def test_a_curvature_of_another_model_is_refused(tmp_path):
    store = collect(encoder(), ROWS, TokenTask(), out=tmp_path / "train")
    other = collect(encoder(seed=1), ROWS, TokenTask(), out=tmp_path / "other")
    with pytest.raises(StoreError, match="training gradients and the curvature"):
        self_influence(store, curvature=other)
