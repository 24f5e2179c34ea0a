"""Rows of a batch that are no numbers."""

import pytest
import torch

from datainf.capture.finite import nonfinite_rows

LOSSES = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_the_loss_is_named_before_the_first_block(value):
    losses, a, b = LOSSES.clone(), torch.ones(3, 5), torch.ones(3, 7, 2)
    losses[2], a[2, 4], a[0, 1], b[0, 3, 1] = value, value, value, value
    assert nonfinite_rows({"a": a, "b": b}, losses) == {
        0: "its gradient of a is NaN or infinite",
        2: f"its loss is {value}",
    }


def test_numbers_whose_sum_overflows_are_numbers():
    rows = torch.full((3, 5), torch.finfo(torch.float32).max)
    assert nonfinite_rows({"a": rows}, LOSSES) == {}
