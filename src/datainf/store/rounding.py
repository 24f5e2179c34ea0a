"""Bringing gradients into the number format of the store, with no quiet wrong number.

n rows of one shard, L blocks, d parameters of a block. What becomes NaN or infinite is
refused; what fp16 rounds away (it knows nothing below 6e-8), or int8 (nothing below a
254th of a row's largest number), is said. Memory: the rounded rows and 8 MiB, and for
int8 the rows once more.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from datainf.core.errors import DatainfWarning, NonFiniteError
from datainf.core.store_dtype import StoreDtype
from datainf.store.int8 import quantised, restored

TORCH_DTYPES = {
    StoreDtype.FP32: torch.float32,
    StoreDtype.BF16: torch.bfloat16,
    StoreDtype.FP16: torch.float16,
    StoreDtype.INT8: torch.int8,
}
# Share of a row's squared length that rounding to fp16 may change before it is said;
# fp16's own 11 bits change at most 0.1 %.
_TOLERANCE = 0.01
_PIECE = 2**20
_TOO_COARSE = {
    StoreDtype.FP16: "numbers below 6e-8 are lost",
    StoreDtype.INT8: "numbers below a 254th of a row's largest are lost",
}


class Rounded(NamedTuple):
    """The rows of one block as they are stored.

    Attributes:
        rows: Contiguous, on the CPU.
        norms: Squared length of each, as it will be read.
        scales: What the numbers of each are multiplied with, in formats that have it.
    """

    rows: Shaped[Tensor, "n d"]
    norms: Float64[Tensor, " n"]
    scales: Float[Tensor, " n"] | None = None


def squared_norms(rows: Float[Tensor, "n d"]) -> Float64[Tensor, " n"]:
    """Add up the squares of each row in float64.

    Args:
        rows: In any number format.

    Returns:
        One number a row.
    """
    step = max(1, _PIECE // max(1, rows.shape[1]))
    pieces = [rows[i : i + step].double() for i in range(0, len(rows), step)]
    return torch.cat([piece.square_().sum(dim=1) for piece in pieces])


def rounded(
    rows: Float[Tensor, "n d"], dtype: StoreDtype, *, name: str, index: Sequence[int]
) -> Rounded:
    """Round the rows of one block to the store's number format, and measure them.

    Args:
        rows: The gradients.
        dtype: The store's number format.
        name: The block, for messages.
        index: Position of each row in the data set, for messages.

    Returns:
        What is stored.

    Raises:
        NonFiniteError: If a number is NaN or infinite, before or after rounding.
    """
    scales = None
    if dtype.scaled:
        stored, scales = quantised(rows.detach().cpu())
        norms = squared_norms(restored(stored, scales))
    else:
        stored = rows.detach().to("cpu", TORCH_DTYPES[dtype]).contiguous()
        norms = squared_norms(stored)
    # No number of these formats is too large to be squared and added up in float64.
    bad = (~torch.isfinite(norms)).nonzero()
    if len(bad):
        first = int(bad[0])
        among = f"({len(bad)} of {len(rows)} examples of this shard)"
        if not torch.isfinite(rows[first]).all():
            raise NonFiniteError(
                f"gradient of example {index[first]}, block {name}, is NaN or infinite "
                f"{among}; leave such examples out, or compute in float32."
            )
        largest = float(rows[first].abs().max())
        raise NonFiniteError(
            f"gradient of example {index[first]}, block {name}, holds {largest:.3g}, "
            f"too large for {dtype} {among}; collect with dtype='bf16' or 'fp32'."
        )
    return Rounded(stored, norms, scales)


def warn_of_loss(
    norms: Float64[Tensor, "n L"],
    stored: Float64[Tensor, "n L"],
    shard: str,
    dtype: StoreDtype = StoreDtype.FP16,
) -> None:
    """Say so where rounding changed the length of a gradient.

    Args:
        norms: Squared length of each row in every block, as computed.
        stored: The same of the rounded rows.
        shard: The shard's name, for the message.
        dtype: The store's number format.
    """
    changed = ((stored - norms).abs() > _TOLERANCE * norms).any(dim=1)
    if changed.any():
        warnings.warn(
            f"{shard}: {dtype} is too coarse for the gradients of "
            f"{int(changed.sum())} of {len(norms)} examples ({_TOO_COARSE[dtype]}): "
            "some block changed its squared length by more than 1 %; collect with "
            "dtype='bf16' or 'fp32'.",
            DatainfWarning,
            stacklevel=4,
        )
