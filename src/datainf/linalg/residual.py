"""How well a linear system was solved, up to a factor that no ranking sees.

Q queries, d parameters of one block. With y = (H + λI) x the product of the named
system's matrix and the found x:

    residual = min over c of ‖c y − v‖ / ‖v‖,   at the scale  c = y·v / y·y

0 means solved (up to c), 1 means that x has nothing to do with the system.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

# Rows worked on together: bounds the float64 copies to a few MiB a million parameters.
_ROWS = 8


def residual_and_scale(
    y: Float[Tensor, "Q d"], v: Float[Tensor, "Q d"]
) -> tuple[Float64[Tensor, " Q"], Float64[Tensor, " Q"]]:
    """Compare the product of system and solution with the right-hand side.

    Args:
        y: (H + λI) x, one row a query.
        v: What it should be.

    Returns:
        The residual, in [0, 1], and the scale, each in float64. A zero right-hand side
        is solved by x = 0: residual 0, scale 1.

    Examples:
        >>> v = torch.tensor([[3.0, 0.0], [3.0, 4.0]])
        >>> residual, scale = residual_and_scale(v @ torch.diag(v[1] > 3).float(), v)
        >>> [round(float(each), 3) for each in residual]
        [1.0, 0.6]
    """
    starts = range(0, len(v), _ROWS)
    parts = [_compare(y[at : at + _ROWS], v[at : at + _ROWS]) for at in starts]
    return torch.cat([r for r, _ in parts]), torch.cat([c for _, c in parts])


def _compare(
    y: Float[Tensor, "q d"], v: Float[Tensor, "q d"]
) -> tuple[Float64[Tensor, " q"], Float64[Tensor, " q"]]:
    y, v = y.double(), v.double()
    length = torch.linalg.vector_norm(v, dim=1)
    square = (y * y).sum(dim=1)
    # y = 0 fits no v but the zero one: c = 0 leaves all of v
    scale = torch.where(
        square > 0, (y * v).sum(dim=1) / square, torch.zeros_like(square)
    )
    # the difference itself, since √(1 − cos²) would drown everything below 1e-8
    left = torch.linalg.vector_norm(scale[:, None] * y - v, dim=1)
    zero = length == 0
    residual = torch.where(zero, 0.0, left / torch.where(zero, 1.0, length))
    return residual.clamp_(max=1.0), torch.where(zero, 1.0, scale)
