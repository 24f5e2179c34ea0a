"""Scoring stores: rows that are named, sources that belong together, curvature."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from datainf.__about__ import __version__
from datainf.core.errors import OptionError, StoreError
from datainf.estimators.exact import Exact
from datainf.store.memory import InMemorySource
from datainf.store.reader import open_store
from datainf.workflows.score import require_same_model, score
from tests.estimators.gradient_sets import GROUPS, N, Q, random_gradients
from tests.reference import influence_by_inverse
from tests.store.stores import (
    IDENTITY,
    INDEX,
    LAYOUT,
    OPTIONS,
    examples,
    gradients,
    opened,
    write_pending,
)


def put(path, *, text=True, **changes):
    """Write the tiny store with another identity."""
    options = replace(OPTIONS, store_text=text)
    with opened(path, identity=replace(IDENTITY, **changes), options=options) as writer:
        write_pending(writer)
        writer.finish()
    return open_store(path)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Training gradients, queries and further curvature rows of one model."""
    folder = tmp_path_factory.mktemp("stores")
    return {
        "train": put(folder / "train", data="1" * 64),
        "queries": put(folder / "queries", data="2" * 64, text=False),
        "curvature": put(folder / "curvature", data="3" * 64),
    }


def refused(message):
    return pytest.raises(StoreError, match=f"^{re.escape(message)}$")


# --- the numbers --------------------------------------------------------------------


@pytest.fixture(scope="module")
def sets():
    """Plain gradients, with another number of curvature rows than of candidates."""
    return {
        "train": random_gradients(N, 1),
        "queries": random_gradients(Q, 2),
        "curvature": random_gradients(11, 5),
    }


def expected(method, sets, groups="tensor", **options):
    return influence_by_inverse(method, **sets, groups=GROUPS[groups], **options)


def test_without_a_curvature_the_training_gradients_are_it(sets):
    train, queries = (InMemorySource(sets[name]) for name in ("train", "queries"))
    right = influence_by_inverse(
        "datainf", sets["train"], sets["queries"], groups=GROUPS["tensor"]
    )
    found = score(train, queries)
    np.testing.assert_allclose(found.values, right, rtol=1e-9)
    assert (score(train, queries, curvature=train).values == found.values).all()


@pytest.mark.parametrize("method", ["datainf", "exact", "scaled-dot"])
def test_the_curvature_may_be_another_source(sets, method):
    sources: Any = {name: InMemorySource(rows) for name, rows in sets.items()}
    found = score(**sources, method=method, damping=0.3)
    right = expected(method, sets, damping=0.3)
    np.testing.assert_allclose(found.values, right, rtol=1e-9)
    alone = score(sources["train"], sources["queries"], method=method, damping=0.3)
    assert not np.allclose(found.values, alone.values)


def test_every_option_reaches_the_method(sets):
    sources: Any = {name: InMemorySource(rows) for name, rows in sets.items()}
    found = score(
        **sources,
        method="lissa",
        damping=0.7,
        blocks="layer",
        normalize="example",
        keep_blocks=True,
        steps=3000,
        tolerance=1e-12,
    )
    right = expected("exact", sets, "layer", damping=0.7, normalize="example")
    np.testing.assert_allclose(found.values, right, rtol=1e-7)
    assert found.per_block is not None
    np.testing.assert_allclose(found.per_block.sum(axis=0), found.values)
    used = found.provenance.options
    assert (used["steps"], used["damping"], used["blocks"]) == (3000, 0.7, "layer")


def test_an_instance_is_taken_as_it_is(sets):
    train, queries = (InMemorySource(sets[name]) for name in ("train", "queries"))
    by_value = score(train, queries, method=Exact(damping=0.3))
    assert (score(train, queries, method="exact", damping=0.3).values).tolist() == (
        by_value.values.tolist()
    )
    with pytest.raises(OptionError, match=r"^damping came beside the instance Exact\("):
        score(train, queries, method=Exact(), damping=0.3)


def test_scores_of_stores_are_those_of_their_tensors(stores):
    found = score(**stores)
    plain = InMemorySource(gradients(), LAYOUT)
    right = score(plain, plain, curvature=plain).values
    np.testing.assert_allclose(found.values, right, rtol=1e-5)


# --- what the scores say about themselves -------------------------------------------


def test_rows_are_known_by_index_and_by_text_where_it_was_stored(stores):
    found = score(stores["train"], stores["queries"])
    texts = examples()["text"].tolist()
    assert found.train.to_dict("list") == {"index": [*INDEX], "text": texts}
    assert found.queries.to_dict("list") == {"index": [*INDEX]}


def test_rows_of_plain_tensors_are_counted(sets):
    train, queries = (InMemorySource(sets[name]) for name in ("train", "queries"))
    found = score(train, queries)
    pd.testing.assert_frame_equal(found.train, pd.DataFrame({"index": range(N)}))
    assert found.provenance.sources == {}
    assert found.provenance.version == __version__


def test_scores_carry_the_identity_of_every_store(stores):
    found = score(**stores).provenance
    assert {name: known["data"][0] for name, known in found.sources.items()} == {
        "train": "1",
        "queries": "2",
        "curvature": "3",
    }
    assert found.sources["train"] == stores["train"].identity.to_dict()


def test_saved_scores_keep_rows_and_identities(stores, tmp_path):
    found = score(**stores)
    again = type(found).load(found.save(tmp_path))
    assert again.provenance == found.provenance
    pd.testing.assert_frame_equal(again.train, found.train)


# --- what does not belong together --------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"base": "c" * 64}, "another base model"),
        ({"adapter": "c" * 64}, "another adapter"),
        (
            {"task": {**IDENTITY.task, "max_length": 64}},
            "task max_length: 128 against 64",
        ),
        (
            {"adapter": "c" * 64, "task": {**IDENTITY.task, "turns": None}},
            "another adapter; task turns: ['all'] against None",
        ),
    ],
    ids=["base", "adapter", "task", "both"],
)
def test_stores_that_do_not_belong_together_are_told_by_what_differs(
    stores, tmp_path, changes, differs
):
    other = put(tmp_path / "other", **changes)
    advice = "collect both with the same model, adapter and task."
    train, queries = stores["train"], stores["queries"]
    for what, sources in [("queries", [other]), ("curvature", [queries, other])]:
        with refused(
            f"the training gradients and the {what} do not belong together: {differs}; "
            f"{advice}"
        ):
            score(train, *sources[:1], curvature=[*sources, None][1])


def test_other_data_and_other_names_for_people_do_belong_together(stores, tmp_path):
    other = put(tmp_path / "other", data="7" * 64, about={"model": "moved"})
    require_same_model(stores["train"], other, "the queries")


def test_what_has_no_identity_is_not_compared(stores):
    plain = InMemorySource(gradients(), LAYOUT)
    found = score(stores["train"], plain)
    assert sorted(found.provenance.sources) == ["curvature", "train"]
    assert sorted(score(plain, stores["queries"]).provenance.sources) == ["queries"]


def test_sources_of_other_blocks_are_refused():
    train = InMemorySource({"a": torch.ones(2, 3), "b": torch.ones(2, 5)})
    with refused(
        "queries holds 1 blocks and curvature rows 2; collect both with the same "
        "adapter and parameters=."
    ):
        score(train, InMemorySource({"a": torch.ones(2, 3)}))
