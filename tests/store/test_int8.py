"""One byte a number: near, exact in float32, and the same when stored again."""

import pytest
import torch

from datainf.store.int8 import quantised, restored


def test_a_row_is_within_half_a_step_and_its_largest_number_keeps_its_digits():
    rows = torch.randn(7, 13, dtype=torch.float64) * torch.logspace(-30, 30, 7)[:, None]
    steps, scales = quantised(rows)
    assert steps.dtype == torch.int8
    assert steps.abs().amax(dim=1).tolist() == [127] * 7
    error = (restored(steps, scales).double() - rows).abs()
    largest = rows.abs().amax(dim=1, keepdim=True)
    assert (error <= largest / 254 * (1 + 2**-15)).all()
    assert (error[rows.abs() == largest] <= 2**-15 * largest.flatten()).all()


def test_each_stored_number_is_the_exact_product():
    steps, scales = quantised(torch.randn(7, 13) * 3.7e-5)
    exact = steps.double() * scales.double()[:, None]
    assert torch.equal(restored(steps, scales).double(), exact)


def test_rows_that_are_stored_again_come_out_the_same_to_the_bit():
    rows = torch.randn(1009, 11) * torch.logspace(-37, 37, 1009)[:, None]
    first = quantised(rows)
    again = quantised(restored(*first))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_rows_of_zeros_stay_zeros():
    steps, scales = quantised(torch.zeros(2, 3))
    assert (steps.tolist(), scales.tolist()) == ([[0] * 3] * 2, [0.0, 0.0])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e39])
def test_what_is_no_number_or_beyond_float32_makes_the_scale_no_number(value):
    rows = torch.ones(2, 3, dtype=torch.float64)
    rows[1, 0] = value
    steps, scales = quantised(rows)
    assert scales.isfinite().tolist() == [True, False]
    assert not restored(steps, scales).isfinite().all()
