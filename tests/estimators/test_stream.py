"""Rows of a group against the tensors side by side."""

import pytest
import torch

from datainf.estimators.stream import GroupRows
from tests.estimators.gradient_sets import GROUPS, SIZES, N, Portioned, random_gradients
from tests.reference import side_by_side, unit_rows

MEMBERS = tuple(GROUPS["layer"][0])


def group(members, unit_length, dtype=torch.float64):
    train = random_gradients(N, 1)
    train = {name: tensor.to(dtype) for name, tensor in train.items()}
    source = Portioned(train, 2)
    rows = GroupRows(
        "g", source, tuple(members), torch.float64, torch.device("cpu"), unit_length
    )
    return rows, side_by_side(unit_rows(train) if unit_length else train, members)


@pytest.mark.parametrize("unit_length", [False, True])
@pytest.mark.parametrize("members", [MEMBERS, MEMBERS[:1], tuple(SIZES)])
def test_portions_slabs_and_squares_are_those_of_the_whole_matrix(members, unit_length):
    rows, whole = group(members, unit_length)
    close = torch.testing.assert_close
    close(torch.cat(list(rows)), whole)
    close(torch.cat(list(rows)), whole)  # it can be read again
    close(torch.cat(list(rows.slabs()), dim=1), whole)
    parts, squares = zip(*rows.with_squares(), strict=True)
    close(torch.cat(parts), whole)
    close(torch.cat(squares), whole.square().sum(dim=1))
    assert (rows.count, rows.size) == tuple(whole.shape)


def test_slabs_are_no_wider_than_the_rows_are_many():
    rows, _ = group(tuple(SIZES), False)
    assert [slab.shape[1] for slab in rows.slabs()] == [5, 3, 2, N, 11 - N, 1]


def test_rows_are_converted():
    rows, whole = group(MEMBERS, False, torch.bfloat16)
    assert next(iter(rows)).dtype == torch.float64
    assert torch.equal(torch.cat(list(rows)), whole)
    assert rows.in_float64() == rows


@pytest.mark.parametrize("unit_length", [False, True])
def test_the_source_is_left_as_it_was(unit_length):
    rows, _ = group(MEMBERS, unit_length)
    before = [part.clone() for part in rows]
    for part in rows.with_squares():
        assert part
    assert all(torch.equal(a, b) for a, b in zip(before, rows, strict=True))
