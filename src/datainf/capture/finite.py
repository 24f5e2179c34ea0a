"""Finding the examples of a batch whose loss or gradient is NaN or infinite.

B examples of a batch, d parameters of a block. Cost: one sum over the gradients.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor


def nonfinite_rows(
    gradients: Mapping[str, Float[Tensor, "B ..."]], losses: Float[Tensor, " B"]
) -> dict[int, str]:
    """Find the rows that hold no number.

    Args:
        gradients: Block -> one row an example.
        losses: Loss of each example.

    Returns:
        Row -> which number of it is NaN or infinite: the loss, else the first block.
    """
    found = {
        row: f"its loss is {float(losses[row])}"
        for row in (~torch.isfinite(losses)).nonzero().flatten().tolist()
    }
    for name, rows in gradients.items():
        # A sum is many times faster than `isfinite` and finite only over numbers; that
        # of huge numbers may overflow, so what it suspects is looked at again.
        suspects = (~torch.isfinite(rows.flatten(1).sum(dim=1))).nonzero().flatten()
        for row in suspects.tolist():
            if row not in found and not torch.isfinite(rows[row]).all():
                found[row] = f"its gradient of {name} is NaN or infinite"
    return dict(sorted(found.items()))
