"""Stores of projected gradients: made, resumed, met, and read by every method."""

import re
from typing import Any

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError, StoreError
from datainf.core.layout import Block, Layout
from datainf.estimators.adam_source import AdamSource
from datainf.estimators.datainf import DataInf
from datainf.estimators.table import METHODS
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.linalg.sides import INPUTS, OUTPUTS, side_matrix
from datainf.store.facts import describe_store
from datainf.store.memory import InMemorySource
from datainf.store.reader import open_store
from datainf.store.verify import verify
from datainf.workflows.collect import collect
from datainf.workflows.score import score
from datainf.workflows.self_influence import self_influence
from datainf.workflows.token_scores import token_scores
from tests.cases import decoder
from tests.estimators.gradient_sets import random_moments
from tests.reference_gradients import gradients_one_by_one
from tests.store.stores import files
from tests.tiny_models import tiny_tokenizer
from tests.workflows.collecting import (
    PROMPTS,
    ROWS,
    StoppedError,
    Watched,
    relative_error,
    run,
    together,
)

K = 5
SMALL: dict[str, Any] = {"project": K, "project_seed": 3}
CUT: dict[str, Any] = {"shard_rows": 2, "batch_tokens": 1, **SMALL}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("projected")


def collected(folder, name="store", **options):
    return run(Watched(), folder / name, decoder(), **{**CUT, **options})


@pytest.fixture(scope="module")
def store(folder):
    return collected(folder, factors=True)


@pytest.fixture(scope="module")
def margins(folder):
    model, task = decoder(), CausalLM(tiny_tokenizer())
    return collect(
        model, PROMPTS, task, out=folder / "margins", output="margin", **SMALL
    )


def test_the_rows_are_the_projections_of_whole_gradients(store):
    model = decoder()
    parameters = {t.block.name: t.parameter for t in adapter_of(model).parameters}
    whole = gradients_one_by_one(model, Watched(), ROWS, parameters)
    right = {}
    for name, rows in whole.items():
        shape = parameters[name].shape
        g = rows.view(-1, *shape)
        for side, size in zip((OUTPUTS, INPUTS), shape, strict=True):
            if size > K:
                p = side_matrix(name, side, size=size, width=K, seed=3, like=g)
                g = p.T @ g if side == OUTPUTS else g @ p
        right[name] = g.flatten(1)
    assert relative_error(together(store), right) < 1e-5


def test_the_manifest_says_how_and_knows_the_whole_shapes(store):
    facts = describe_store(store.path)
    assert facts["projection"] == "project=5, project_seed=3"
    whole = adapter_of(decoder()).layout
    assert facts["parameters"] == whole.total
    assert facts["numbers"] == store.layout.total < whole.total
    assert [b.whole or b.shape for b in store.layout] == [b.shape for b in whole]
    assert all(max(block.shape) <= K for block in store.layout)
    assert verify(store.path).ok


def test_an_interrupted_run_ends_in_the_same_store_to_the_bit(folder, store):
    del store
    with pytest.raises(StoppedError):
        run(Watched(stop_at=6), folder / "cut", decoder(), **CUT)
    assert describe_store(folder / "cut")["shards"] == "2 of 4"
    collected(folder, "cut")
    collected(folder, "plain")
    assert files(folder / "cut") == files(folder / "plain")


def test_int8_and_reuse_go_with_it(folder):
    made = collected(folder, "int8", dtype="int8")
    again = collected(folder, "again", dtype="int8", reuse=folder / "int8")
    for name, rows in together(made).items():
        assert torch.equal(rows, together(again)[name])
        assert rows.shape[1] == made.layout.sizes[name]


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({"project_seed": 4}, "project=5, project_seed=4"),
        ({"project": 4}, "project=4, project_seed=3"),
        ({"project": None}, "none"),
    ],
)
def test_other_projections_are_refused_by_name(folder, store, options, differs):
    difference = f"projection: project=5, project_seed=3 against {differs}"
    with pytest.raises(StoreError, match=re.escape(difference)):
        collected(folder, "store", **options)
    other = collected(folder, f"other-{differs}", **options)
    message = (
        "the training gradients and the queries do not belong together: "
        f"{difference}; collect both with the same model, adapter and task."
    )
    with pytest.raises(StoreError, match=f"^{re.escape(message)}$"):
        score(store, other)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("trak", "less")])
def test_every_method_scores_projected_rows_as_rows_of_memory(store, method):
    rows = InMemorySource(
        together(store),
        store.layout,
        factors={name: store.factors(name) for name in store.layout.names},
    )
    found = score(store, store, method=method)
    right = score(rows, rows, method=method).values
    size = np.abs(right).max()
    assert size > 0
    np.testing.assert_allclose(found.values / size, right / size, rtol=0, atol=1e-5)
    (note,) = [n for n in found.provenance.notes if "were projected when" in n]
    assert "(project=5, project_seed=3)" in note


def test_self_influence_is_the_diagonal_of_the_scores(store):
    found = self_influence(store, method="dot").values[0]
    right = score(store, store, method="dot").values.diagonal()
    np.testing.assert_allclose(found, right, rtol=1e-5)


def test_trak_projects_once_more(margins):
    found = score(margins, margins, method="trak", projection=7)
    assert np.isfinite(found.values).all()
    assert any("were projected when" in note for note in found.provenance.notes)


def test_less_refuses_projected_rows_by_name(store):
    whole = {b.name: torch.ones(7, b.size) for b in store.layout}
    with pytest.raises(OptionError, match=r"^Adam divides each entry .* project="):
        AdamSource(store, random_moments(whole))


def test_damping_is_counted_over_whole_tensors():
    rows = {"w": torch.randn(7, 6, dtype=torch.float64)}
    plain = Layout((Block("w", (2, 3)),))
    short = Layout((Block("w", (2, 3), whole=(2, 15)),))
    found = [
        DataInf(damping=0.3).fit(InMemorySource(rows, layout)).damping["w"]
        for layout in (plain, short)
    ]
    assert found[0] == pytest.approx(5 * found[1], rel=1e-12)
    mean = float(rows["w"].square().sum()) / (7 * 2 * 15)
    assert found[1] == pytest.approx(0.3 * mean, rel=1e-12)


def test_damping_that_is_chosen_follows_whole_tensors_too():
    chance = torch.Generator().manual_seed(0)
    rows = {"w": torch.randn(31, 6, generator=chance, dtype=torch.float64)}
    layouts = [Layout((Block("w", (6,), whole=w),)) for w in (None, (60,))]
    plain, short = (
        DataInf(damping="auto").fit(InMemorySource(rows, one)).damping["w"]
        for one in layouts
    )
    # The grid of dampings is coarse: λ of either is within a step of the best.
    assert 0.1 < plain / short < 10


@pytest.mark.parametrize("method", ["datainf", "dot"])
def test_tokens_sum_to_the_scores_of_projected_rows(tmp_path, method):
    model, task = decoder(), CausalLM(tiny_tokenizer())
    how: dict[str, Any] = {"method": method, "cache": tmp_path, **SMALL}
    found = token_scores(model, PROMPTS, PROMPTS[:2], task, top=1, **how)
    stores = [open_store(path) for path in sorted(tmp_path.iterdir())]
    queries, train = stores
    values = score(train, queries, method=method).values
    for row in found:
        wanted = values[row.query, row.train]
        size = np.nansum(np.abs(row.scores))
        assert abs(row.total - wanted) <= 1e-5 * size
