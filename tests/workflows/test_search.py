"""`search`: what `score(...).top(k)` lists, and what it refuses."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from datainf.core.errors import OptionError, StoreError
from datainf.core.options import Order
from datainf.estimators.table import METHODS
from datainf.store.memory import InMemorySource
from datainf.workflows.collect import collect
from datainf.workflows.score import score
from datainf.workflows.search import search
from tests.cases import TokenTask, encoder, token_rows
from tests.estimators.gradient_sets import N, Q, random_gradients, source_of

ROWS = token_rows("encoder")
UNABLE = ("trak", "less", "auto")


def sources() -> tuple[InMemorySource, InMemorySource]:
    return source_of(random_gradients(N, 1)), source_of(random_gradients(Q, 2))


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return tuple(
        collect(encoder(), rows, TokenTask(), out=folder / name, dtype="bf16")
        for name, rows in (("train", ROWS), ("queries", ROWS[2:4]))
    )


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("method", [m for m in METHODS if m not in UNABLE])
def test_it_lists_what_sorting_all_scores_does(method, order):
    train, queries = sources()
    right = score(train, queries, method=method).top(3, order)
    found = search(train, queries, method=method, k=3, order=order)
    pd.testing.assert_frame_equal(
        found, right, check_dtype=False, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("normalize", ["example", "block"])
def test_rows_are_normalised_and_a_curvature_of_its_own_is_read(normalize):
    train, queries = sources()
    how: dict[str, Any] = {
        "method": "datainf",
        "normalize": normalize,
        "damping": 0.3,
        "blocks": "layer",
        "curvature": InMemorySource(random_gradients(5, 3)),
    }
    right = score(train, queries, **how).top(100)
    pd.testing.assert_frame_equal(
        search(train, queries, k=100, **how), right, check_dtype=False, rtol=1e-9
    )


def test_rows_of_stores_are_named_with_their_texts(stores):
    train, queries = stores
    found = search(train, queries, k=2, method="cosine")
    right = score(train, queries, method="cosine").top(2)
    assert list(found) == ["query", "rank", "train", "score", "text"]
    assert found["text"].tolist() == right["text"].tolist()
    assert found["train"].tolist() == right["train"].tolist()
    np.testing.assert_allclose(found["score"], right["score"], rtol=1e-3)


def test_stores_that_do_not_belong_together_are_refused(stores, tmp_path):
    other = collect(encoder(seed=1), ROWS[:2], TokenTask(), out=tmp_path)
    with pytest.raises(StoreError, match="the training gradients and the queries do"):
        search(stores[0], other)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"k": 0}, "search: k must be at least 1, got 0."),
        (
            {"method": "auto"},
            "auto chooses by the time that scoring takes, and search does not score; "
            "name a method.",
        ),
        (
            {"method": "trak"},
            "trak scores features made of whole gradients, which cannot be taken apart "
            "into tokens or parameters; use another method.",
        ),
        (
            {"normalize": "relatif"},
            "normalize='relatif' divides by the self-influence of every row, so all "
            "rows must be scored: use score, or another normalize.",
        ),
    ],
)
def test_what_is_no_search_is_refused_by_name(how, message):
    train = InMemorySource({"w": torch.ones(2, 3)})
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        search(train, train, **how)
