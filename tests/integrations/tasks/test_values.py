"""What a function carries tells it from another of the same source."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from datainf.core.canonical import canonical_json
from datainf.integrations.tasks.values import qualified_name, source_of, values_of


def closing(value):
    def loss(model, batch):
        return value, model, batch

    return loss


def defaulting(value):
    def loss(model, batch, more=value):
        return more, model, batch

    return loss


def naming(value):
    def loss(model, batch, *, more=value):
        return more, model, batch

    return loss


def partly(value):
    return functools.partial(closing(0), model=value)


def placed(value):
    return functools.partial(closing(0), value)


class Loss:
    """A callable object."""

    def __init__(self, value):
        self.value = value

    def __call__(self, model, batch):
        return self.value, model, batch

    def method(self, model, batch):
        return self.value, model, batch


class Slotted:
    """One without a dictionary."""

    __slots__ = ("missing", "value")

    def __init__(self, value):
        self.value = value

    def __call__(self, model, batch):
        return self.value, model, batch


def method(value):
    return Loss(value).method


MAKERS = [closing, defaulting, naming, partly, placed, Loss, Slotted, method]
PAIRS = [
    (1, 2),
    (0.5, float("nan")),
    (float("inf"), -float("inf")),
    ("a", "b"),
    (True, None),
    ([1, (2, 3)], [1, (2, 4)]),
    ({"a": [1]}, {"a": [2]}),
    ({1: "a"}, {2: "a"}),
    (torch.ones(2, 3), torch.ones(3, 2)),
    (torch.tensor(1.0), torch.tensor(1)),
    (torch.ones(3, dtype=torch.bfloat16), torch.zeros(3, dtype=torch.bfloat16)),
    (nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(2))),
    (np.arange(3), np.arange(1, 4)),
    (np.float32(1), np.float32(2)),
    (closing(1), closing(2)),
    (closing(1), defaulting(1)),
    (torch.ones(2), {2}),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_another_value_is_told_apart_and_an_equal_one_is_not(make, one, other):
    found = canonical_json(values_of(make(one)))
    assert found == canonical_json(values_of(make(one)))
    assert found != canonical_json(values_of(make(other)))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({1, 2}, "builtins.set"),
        (object(), "builtins.object"),
        (nn.Linear(2, 3), "torch.nn.modules.linear.Linear"),
        (torch.ones(2).to_sparse(), "torch.Tensor"),
        (torch.ones(2, device="meta"), "torch.Tensor"),
        (np.array([object()]), "numpy.ndarray"),
        (Loss, "builtins.type"),
    ],
)
def test_of_anything_else_the_type_alone_is_written(value, name):
    assert values_of(closing(value))["closure"] == {"value": {"type": name}}


def test_the_form_that_is_written():
    assert values_of(closing((1, {"a": 0.5}))) == {
        "closure": {"value": [1, {"a": 0.5}]},
        "defaults": None,
        "keyword_defaults": None,
    }
    assert values_of(torch.add) == {"attributes": {}, "call": None}
    assert values_of(Loss(1))["attributes"] == {"value": 1}


def test_what_stands_inside_of_itself_ends():
    ring: list[object] = [1]
    ring.append(ring)
    assert values_of(closing(ring))["closure"]["value"] == [
        1,
        {"type": "builtins.list"},
    ]

    def loss(model, batch):
        return loss(model, batch), later

    found = values_of(loss)["closure"]
    assert found == {"later": None, "loss": {"type": "builtins.function"}}
    later = 1


def test_a_module_of_torch_is_told_by_its_tensors_and_not_by_its_mode():
    torch.manual_seed(0)
    one, other = nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(2, 3))
    assert values_of(one) != values_of(other)
    other.load_state_dict(one.state_dict())
    assert values_of(one) == values_of(other.eval())
    assert values_of(nn.Softmax(dim=1)) != values_of(nn.Softmax(dim=0))


def test_names_and_sources():
    assert qualified_name(Loss(1)) == f"{__name__}.Loss"
    assert source_of(closing(1)) == source_of(closing(2)) != source_of(naming(1))
    assert source_of(functools.partial(closing)) == source_of(closing)
    assert source_of(torch.add) is None


def test_equal_functions_are_equal_in_another_process():
    code = (
        "import sys; from tests.integrations.tasks import test_values as t;"
        "sys.stdout.write(t.canonical_json([t.values_of(make(one))"
        " for make in t.MAKERS for one, _ in t.PAIRS]))"
    )
    mine = [values_of(make(one)) for make in MAKERS for one, _ in PAIRS]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == canonical_json(mine)
