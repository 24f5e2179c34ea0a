"""Projected rows against the written matrix, and what does not change them."""

import re

import pytest
import torch

from datainf.core.errors import OptionError
from datainf.estimators import projected as module
from datainf.estimators.projected import (
    ProjectedSource,
    projected,
    projection_notes,
)
from datainf.store.memory import InMemorySource
from tests.estimators.gradient_sets import (
    SIZES,
    N,
    Portioned,
    projection_matrix,
    random_gradients,
)
from tests.reference import side_by_side

K = 13
TOTAL = sum(SIZES.values())


def rows_of(source, **options):
    return torch.cat([part.gradients["all"] for part in source.rows(**options)])


def test_rows_are_products_with_the_matrix():
    train = random_gradients(N, 1)
    found = ProjectedSource(InMemorySource(train), K, 3)
    expected = side_by_side(train, list(SIZES)) @ projection_matrix(K, 3)
    torch.testing.assert_close(rows_of(found), expected)
    squares = torch.cat([part.squared_norms for part in found.rows([], size=2)])
    torch.testing.assert_close(squares[:, 0], expected.square().sum(dim=1))
    assert (len(found), found.layout.sizes) == (N, {"all": K})


@pytest.mark.parametrize("room", [1, 3 * 11 * 8])
def test_portions_and_buffers_change_nothing(monkeypatch, room):
    train = random_gradients(N, 1)
    expected = rows_of(ProjectedSource(InMemorySource(train), K, 3))
    monkeypatch.setattr(module, "_BUFFER_BYTES", room)
    for size in (1, 2, 5):
        found = rows_of(ProjectedSource(Portioned(train, size), K, 3), size=3)
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


def test_half_precision_is_projected_in_float32():
    train = random_gradients(N, 1, torch.float16)
    assert rows_of(ProjectedSource(InMemorySource(train), K, 3)).dtype == torch.float32


def test_rows_that_are_short_already_stay_as_they_are():
    source = InMemorySource(random_gradients(N, 1))
    assert projected(source, TOTAL, 0) is source
    assert projected(source, TOTAL - 1, 0) is not source
    assert list(projection_notes(source.layout, TOTAL)) == [
        "gradients hold D = 22 numbers, no more than projection=22; they were not "
        "projected."
    ]
    assert list(projection_notes(source.layout, 16)) == [
        "gradients of D = 22 numbers were projected to 16: cosines are within about "
        "0.2 of the true ones."
    ]


def test_unknown_blocks_and_sizes_are_refused():
    source = ProjectedSource(InMemorySource(random_gradients(N, 1)), K, 0)
    message = "block 'al' is unknown: expected one of: all; did you mean 'all'?."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        next(source.rows(["al"]))
    with pytest.raises(OptionError, match=r"^size must be at least 1, got 0\.$"):
        next(source.rows(size=0))
