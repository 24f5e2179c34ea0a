"""Rounding to the store's number format, and what it refuses."""

import re

import pytest
import torch

from datainf.core.errors import DatainfWarning, NonFiniteError
from datainf.core.store_dtype import StoreDtype
from datainf.store import rounding
from datainf.store.int8 import quantised, restored
from datainf.store.rounding import TORCH_DTYPES, rounded, squared_norms, warn_of_loss

INDEX = (0, 2, 5, 7, 11, 13, 17)


@pytest.mark.parametrize("dtype", list(StoreDtype))
def test_rows_come_out_rounded_contiguous_and_without_autograd(dtype):
    rows = torch.randn(5, 7, dtype=torch.float64, requires_grad=True).T
    stored, norms, scales = rounded(rows, dtype, name="w", index=INDEX)
    assert stored.dtype == TORCH_DTYPES[dtype]
    assert stored.is_contiguous()
    assert not stored.requires_grad
    if scales is None:
        assert torch.equal(stored, rows.detach().to(TORCH_DTYPES[dtype]))
        assert torch.equal(norms, squared_norms(stored))
    else:
        steps, right = quantised(rows.detach())
        assert torch.equal(stored, steps)
        assert torch.equal(scales, right)
        assert torch.equal(norms, squared_norms(restored(stored, scales)))


@pytest.mark.parametrize("piece", [1, 10, 2**20])
def test_squared_norms_are_float64_sums_whatever_the_piece(monkeypatch, piece):
    monkeypatch.setattr(rounding, "_PIECE", piece)
    rows = torch.randn(7, 5).bfloat16()
    found = squared_norms(rows)
    assert found.dtype == torch.float64
    slow = [sum(float(x) ** 2 for x in row) for row in rows]
    torch.testing.assert_close(found, torch.tensor(slow, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [StoreDtype.FP32, StoreDtype.INT8])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_gradient_that_is_no_number_is_refused_by_example_and_block(value, dtype):
    rows = torch.ones(7, 5)
    rows[3, 1] = rows[5, 0] = value
    message = (
        "gradient of example 7, block w, is NaN or infinite (2 of 7 examples of this "
        "shard); leave such examples out, or compute in float32."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        rounded(rows, dtype, name="w", index=INDEX)


def test_a_gradient_beyond_the_range_of_fp16_is_refused():
    rows = torch.ones(7, 5)
    rows[4, 1] = -70000.0
    message = (
        "gradient of example 11, block w, holds 7e+04, too large for fp16 (1 of 7 "
        "examples of this shard); collect with dtype='bf16' or 'fp32'."
    )
    with pytest.raises(NonFiniteError, match=f"^{re.escape(message)}$"):
        rounded(rows, StoreDtype.FP16, name="w", index=INDEX)
    rounded(rows, StoreDtype.BF16, name="w", index=INDEX)


def test_gradients_that_fp16_rounds_away_are_said_and_counted():
    norms = torch.tensor([[1.0, 1.0], [1.0, 1e-20], [0.0, 1.0]], dtype=torch.float64)
    stored = torch.tensor([[1.005, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    message = (
        "shard-00001.safetensors: fp16 is too coarse for the gradients of 1 of 3 "
        "examples (numbers below 6e-8 are lost): some block changed its squared length "
        "by more than 1 %; collect with dtype='bf16' or 'fp32'."
    )
    with pytest.warns(DatainfWarning, match=f"^{re.escape(message)}$"):
        warn_of_loss(norms, stored, "shard-00001.safetensors")
    warn_of_loss(norms[:1], stored[:1], "nothing is lost here")
    with pytest.warns(
        DatainfWarning,
        match=r"int8 is too coarse .* \(numbers below a 254th of a row's",
    ):
        warn_of_loss(norms, stored, "shard-00001.safetensors", StoreDtype.INT8)
