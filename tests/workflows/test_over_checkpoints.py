"""`score` over several checkpoints, from stores and tensors."""

import re
from typing import Any

import numpy as np
import pytest
import torch

import datainf
from datainf.core.checkpoint import Checkpoint
from datainf.core.errors import OptionError, StoreError
from datainf.core.identity import Identity
from datainf.estimators.table import METHODS, build
from datainf.store.memory import InMemorySource
from datainf.workflows.over_checkpoints import all_sources, require_alone
from datainf.workflows.score import score
from tests.estimators.gradient_sets import (
    N,
    Q,
    checkpoint_of,
    random_gradients,
)


def refuses(message: str, kind: type[Exception] = OptionError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def several() -> list[Checkpoint]:
    return [
        checkpoint_of(
            random_gradients(N, seed), random_gradients(Q, seed + 9), weight=0.5 / seed
        )
        for seed in (1, 2)
    ]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_combined_as_it_says(method):
    found = datainf.score(several(), method=method, keep_blocks=True)
    expected = build(method).score_checkpoints(several(), keep_blocks=True)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.per_block is not None
    weights = [0.5, 0.5] if method == "trak" else [0.5, 0.25]
    assert found.provenance.options["checkpoint_weights"] == weights
    assert np.isnan(found.agreement).all()


def test_the_record_names_the_gradients_of_every_checkpoint():
    one, two = several()
    one.train.identity = Identity("b", "a1", {"name": "t"}, "d")  # type: ignore[attr-defined]
    two.train.identity = Identity("b", "a2", {"name": "t"}, "d")  # type: ignore[attr-defined]
    made = score([one, two], method="dot").provenance
    assert {name: known["adapter"] for name, known in made.sources.items()} == {
        "train": "a1",
        "train at checkpoint 1": "a2",
        "curvature": "a1",
    }
    assert list(all_sources([one, two])) == [
        "train", "queries", "train at checkpoint 1", "queries at checkpoint 1",
    ]  # fmt: skip


def test_gradients_of_different_models_within_a_checkpoint_are_refused():
    one, two = several()
    two.train.identity = Identity("b", "a2", {"name": "t"}, "d")  # type: ignore[attr-defined]
    two.queries.identity = Identity("b", "a3", {"name": "t"}, "q")  # type: ignore[attr-defined]
    with refuses(
        "the training gradients and the queries do not belong together: another "
        "adapter; collect both with the same model, adapter and task.",
        StoreError,
    ):
        score([one, two])


@pytest.mark.parametrize("name", ["queries", "curvature"])
def test_other_gradients_beside_checkpoints_are_refused(name):
    extra = {name: InMemorySource(random_gradients(Q, 2))}
    with refuses(
        f"each Checkpoint has its own {name}; leave {name}= out, and give it in "
        f"Checkpoint(..., {name}=...)."
    ):
        score(several(), **extra)  # type: ignore[arg-type]


def test_a_list_of_something_else_is_refused():
    with refuses(
        "a list of training gradients must hold Checkpoint values, got a "
        "InMemorySource; give one source, or Checkpoint(train, queries) for each state "
        "of the adapter."
    ):
        require_alone([InMemorySource(random_gradients(N, 1))], {}, agreement=None)


def test_agreement_over_checkpoints_is_refused():
    with refuses(
        "agreement compares with one system that exact solves, and each checkpoint has "
        "its own; leave agreement out."
    ):
        score(several(), agreement=True)


def test_one_source_needs_queries():
    with refuses("score needs queries; give their gradients beside train."):
        score(InMemorySource(random_gradients(N, 1)))


@pytest.mark.parametrize(
    ("method", "came", "wanted"),
    [("trak", "loss", "margin"), ("less", "margin", "loss")],
)
def test_gradients_of_what_the_method_is_not_made_of_are_refused(method, came, wanted):
    one = checkpoint_of()
    task = {"name": "t", **({"output": {"name": came}} if came != "loss" else {})}
    one.train.identity = Identity("b", "a", task, "d")  # type: ignore[attr-defined]
    with refuses(
        f"{method} is made of gradients of the {wanted}, and these are of the {came}; "
        f"collect training examples and queries with output='{wanted}' (--output "
        f"{wanted}).",
        StoreError,
    ):
        score([one], method=method)


def test_trak_takes_no_curvature_at_drawn_labels():
    drawn = InMemorySource(random_gradients(N, 3))
    task = {"name": "t", "output": {"name": "sampled"}}
    drawn.identity = Identity("b", "a", task, "d")  # type: ignore[attr-defined]
    rows = InMemorySource(random_gradients(N, 1), losses=torch.zeros(N))
    with refuses(
        "trak has a curvature of margins, so it cannot use a sampled Fisher; leave "
        "fisher='sampled' (--fisher) and the curvature out, or choose another method."
    ):
        score(rows, rows, method="trak", curvature=drawn)
