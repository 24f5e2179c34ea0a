"""`auto`: what it chooses, says and refuses."""

import re

import numpy as np
import pytest
import torch

from datainf.core.errors import OptionError
from datainf.estimators import auto
from datainf.estimators.auto import Auto
from datainf.estimators.cost import Cost
from datainf.estimators.datainf import DataInf
from datainf.estimators.exact import Exact
from datainf.estimators.stream import GroupRows
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import N, Q, random_gradients, scored

GIB = 2**30
COSTS = {
    "exact": Cost(300, 9 * GIB),
    "cg": Cost(40, 2 * GIB),
    "datainf": Cost(4, GIB),
    "scaled-dot": Cost(1, GIB // 2),
}


@pytest.fixture
def _priced(monkeypatch):
    monkeypatch.setattr(auto, "cost", lambda method, *_, **__: COSTS[method])


@pytest.mark.usefixtures("_priced")
@pytest.mark.parametrize(
    ("seconds", "memory", "chosen"),
    [
        (300, "9GiB", "exact"),
        (299, "9GiB", "cg"),
        (300, "8GiB", "cg"),
        (39, "8GiB", "datainf"),
        (300, "1 GiB", "datainf"),
        (1, "600 MiB", "scaled-dot"),
    ],
)
def test_the_first_method_within_both_budgets_scores(seconds, memory, chosen):
    options = {"max_seconds": seconds, "max_memory": memory}
    made = scored("auto", damping=0.3, blocks="layer", options=options)
    right = scored(chosen, damping=0.3, blocks="layer")
    assert made.provenance.method == chosen
    assert made.provenance.options == right.provenance.options
    np.testing.assert_array_equal(made.values, right.values)
    assert made.provenance.notes[:-1] == right.provenance.notes


@pytest.mark.usefixtures("_priced")
def test_the_choice_is_said_with_its_reasons():
    made = scored("auto", options={"max_memory": "4GiB"})
    assert made.provenance.notes[-1] == (
        "auto chose cg, the most exact method within 60 s and 4 GiB: about 40 s and 2 "
        "GiB; passed over exact (about 3e+02 s and 9 GiB)."
    )
    half = scored("auto", options={"max_seconds": 1e9}).provenance.notes[-1]
    assert re.search(r"within 1e\+09 s and \S+ GiB: ", half)


@pytest.mark.usefixtures("_priced")
def test_nothing_within_the_budgets_is_refused():
    message = (
        "auto: no method fits into 0.5 s and 4 GiB: exact (about 3e+02 s and 9 GiB), "
        "cg (about 40 s and 2 GiB), datainf (about 4 s and 1 GiB), scaled-dot (about 1 "
        "s and 0.5 GiB); raise max_seconds or max_memory, or name a method."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        scored("auto", options={"max_memory": "4GiB", "max_seconds": 0.5})


@pytest.mark.usefixtures("_priced")
def test_self_influence_is_the_chosen_methods():
    rows = InMemorySource(random_gradients(N, 1))
    made, right = (
        estimator.score_themselves(estimator.fit(rows), rows)
        for estimator in (Auto(max_memory=GIB), DataInf())
    )
    assert made.provenance.method == "datainf"
    np.testing.assert_array_equal(made.values, right.values)
    assert made.provenance.notes[-1].startswith("auto chose datainf")


@pytest.mark.usefixtures("_priced")
def test_one_group_alone_is_solved_by_the_chosen_method():
    train = random_gradients(N, 1)
    v = torch.randn(Q, 5, generator=torch.Generator().manual_seed(3)).double()
    name = next(iter(train))
    rows = GroupRows(
        name, InMemorySource(train), (name,), torch.float64, torch.device("cpu")
    )
    found = Auto(max_memory=GIB).prepare(rows, 0.1)(v).x
    assert torch.equal(found, DataInf().prepare(rows, 0.1)(v).x)


def test_a_budget_takes_the_place_of_exacts_own_limit(monkeypatch):
    monkeypatch.setattr(Exact, "max_bytes", 8)
    assert scored("auto").provenance.method == "exact"
    assert scored("auto").provenance.options["max_bytes"] == 8 * 49


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("max_seconds", 0, "a positive number, got 0"),
        (
            "max_memory",
            "much",
            "a number of bytes or a text such as '2GiB', got 'much'",
        ),
    ],
)
def test_budgets_out_of_range_are_refused(option, value, expected):
    message = f"auto: {option} must be {expected}."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Auto(**{option: value})
