"""Filling: rows from two sources in the order of the shard."""

import torch

from datainf.capture.collect import ShardGradients
from datainf.workflows.fill import _merged


def part(*numbers: int, dtype: torch.dtype = torch.float32) -> ShardGradients:
    rows = torch.tensor(numbers, dtype=dtype)
    return ShardGradients({"w": rows[:, None].expand(-1, 3)}, rows)


def test_rows_of_two_sources_come_in_the_order_of_the_shard():
    found = _merged([part(1, 3, dtype=torch.bfloat16), part(0, 2, 4)], [1, 3, 0, 2, 4])
    assert found.losses.tolist() == [0, 1, 2, 3, 4]
    assert found.gradients["w"][:, 2].tolist() == [0, 1, 2, 3, 4]
    assert found.gradients["w"].dtype == torch.float32


def test_rows_of_one_source_stay_as_they_are():
    only = part(5, 7)
    assert _merged([only], [0, 1]) is only
