"""Rows of a group against the tensors side by side."""

import pytest
import torch

from datainf.core.options import Normalize
from datainf.estimators import stream
from datainf.estimators.stream import GroupRows, divisors
from tests.estimators.gradient_sets import GROUPS, SIZES, N, Portioned, random_gradients
from tests.reference import scaled_rows, side_by_side

MEMBERS = tuple(GROUPS["layer"][0])


def group(members, scaled, dtype=torch.float64):
    train = random_gradients(N, 1)
    train = {name: tensor.to(dtype) for name, tensor in train.items()}
    source = Portioned(train, 2)
    rows = GroupRows(
        "g", source, tuple(members), torch.float64, torch.device("cpu"), scaled
    )
    return rows, side_by_side(scaled_rows(train, scaled), members)


@pytest.mark.parametrize("scaled", Normalize)
@pytest.mark.parametrize("members", [MEMBERS, MEMBERS[:1], tuple(SIZES)])
def test_portions_slabs_and_squares_are_those_of_the_whole_matrix(
    members, scaled, monkeypatch
):
    monkeypatch.setattr(stream, "LEAST_WIDTH", 1)
    rows, whole = group(members, scaled)
    close = torch.testing.assert_close
    close(torch.cat(list(rows)), whole)
    close(torch.cat(list(rows)), whole)  # it can be read again
    close(torch.cat(list(rows.slabs()), dim=1), whole)
    parts, squares = zip(*rows.with_squares(), strict=True)
    close(torch.cat(parts), whole)
    close(torch.cat(squares), whole.square().sum(dim=1))
    assert (rows.count, rows.size) == tuple(whole.shape)


def test_slabs_are_no_wider_than_the_rows_are_many(monkeypatch):
    monkeypatch.setattr(stream, "LEAST_WIDTH", 1)
    rows, _ = group(tuple(SIZES), Normalize.NONE)
    assert [slab.shape[1] for slab in rows.slabs()] == [5, 3, 2, N, 11 - N, 1]


def test_few_rows_are_not_read_again_for_every_few_columns():
    rows, _ = group(tuple(SIZES), Normalize.NONE)
    assert [slab.shape[1] for slab in rows.slabs()] == list(SIZES.values())


def test_rows_are_converted():
    rows, whole = group(MEMBERS, Normalize.NONE, torch.bfloat16)
    assert next(iter(rows)).dtype == torch.float64
    assert torch.equal(torch.cat(list(rows)), whole)
    assert rows.in_float64() == rows


@pytest.mark.parametrize("scaled", Normalize)
def test_the_source_is_left_as_it_was(scaled):
    rows, _ = group(MEMBERS, scaled)
    before = [part.clone() for part in rows]
    for part in rows.with_squares():
        assert part
    assert all(torch.equal(a, b) for a, b in zip(before, rows, strict=True))


@pytest.mark.parametrize("scaled", [Normalize.EXAMPLE, Normalize.BLOCK])
def test_a_group_finds_the_divisors_of_its_own_blocks_alone(scaled, monkeypatch):
    rows, _ = group(MEMBERS, scaled)
    found = []

    def counted(*given):
        found.append(divisors(*given).shape[1])
        return divisors(*given)

    monkeypatch.setattr(stream, "divisors", counted)
    list(rows)
    assert set(found) == {len(MEMBERS)}
    assert len(MEMBERS) < len(SIZES)
