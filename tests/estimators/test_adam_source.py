"""Adam's step on each row alone, against `torch.optim.AdamW` itself."""

import re
from dataclasses import replace

import pytest
import torch

from datainf.core.checkpoint import Moments
from datainf.core.errors import StoreError
from datainf.estimators.adam_source import AdamSource
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    SIZES,
    N,
    Portioned,
    random_gradients,
    random_moments,
)
from tests.reference import adam_steps

BEFORE = Moments(
    first={name: torch.zeros(d) for name, d in SIZES.items()},
    second={name: torch.zeros(d) for name, d in SIZES.items()},
    steps=dict.fromkeys(SIZES, 0),
)


def steps_of(source):
    parts = [part.gradients for part in source.rows()]
    return {name: torch.cat([part[name] for part in parts]) for name in SIZES}


@pytest.mark.parametrize("moments", ["after some steps", "before any"])
def test_rows_are_the_steps_that_adamw_takes_on_them_alone(moments):
    train = random_gradients(N, 1)
    chosen = BEFORE if moments == "before any" else random_moments(train)
    chosen = replace(chosen, betas=(0.8, 0.97), eps=1e-3)
    found = steps_of(AdamSource(InMemorySource(train), chosen))
    for name, rows in adam_steps(train, chosen).items():
        torch.testing.assert_close(found[name], rows, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("blocks", [None, [], ["h.0.v.lora_A.weight"]])
def test_squared_lengths_are_of_the_steps_over_all_blocks(blocks):
    train = random_gradients(N, 1)
    source = AdamSource(Portioned(train, 3), random_moments(train))
    expected = [rows.square().sum(dim=1) for rows in steps_of(source).values()]
    parts = list(source.rows(blocks))
    assert [part.start for part in parts] == [0, 3, 6]
    torch.testing.assert_close(
        torch.cat([part.squared_norms for part in parts]), torch.stack(expected, dim=1)
    )
    assert (len(source), source.layout.names) == (N, tuple(SIZES))


def test_half_precision_is_computed_in_float32():
    train = random_gradients(N, 1, torch.float16)
    found = steps_of(AdamSource(InMemorySource(train), random_moments(train)))
    for name, rows in adam_steps(train, random_moments(train)).items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name].double(), rows, rtol=1e-5, atol=1e-6)


def test_moments_of_other_tensors_are_refused():
    train = random_gradients(N, 1)
    del (moments := random_moments(train)).first["score.bias"]  # type: ignore[attr-defined]
    message = "the optimizer's moments hold nothing of block score.bias; "
    with pytest.raises(StoreError, match=f"^{re.escape(message)}"):
        AdamSource(InMemorySource(train), moments)
