"""Solve ``(H + λI) x = v`` by the Neumann recursion (LiSSA), scaled to converge.

N training examples, Q queries, d parameters of one block; H = GᵀG/N, A = H + λI.

    r₀ = v,   r_j = v + (I − A/s) r_{j−1},   x = r/s

(Agarwal et al., JMLR 2017, arXiv:1602.03943; without the scale s in Kwon et al., ICLR
2024, arXiv:2310.00902.) Converges to A⁻¹v if and only if s > λ_max(A)/2; with s ≥
λ_max(A) the error falls at every step. Since r_{j+1} − r_j = v − A x_j, the residual of
each step is known for nothing. Costs one reading of the rows and O(NQd) time a step,
O(Qd + QN) memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import NonFiniteError
from datainf.core.share import share_of
from datainf.linalg.gram import apply_curvature


@dataclass(frozen=True)
class Neumann:
    """Where the recursion ended.

    Attributes:
        x: The last x.
        y: (H + λI) x.
        products: x Gᵀ of the process's own rows, n of N.
        steps: Steps taken.
        error: Largest ‖y − v‖ / ‖v‖ over the queries.
    """

    x: Float[Tensor, "Q d"]
    y: Float[Tensor, "Q d"]
    products: Float[Tensor, "Q n"]
    steps: int
    error: float


def neumann_solve(
    rows: Iterable[Float[Tensor, "_ d"]],
    v: Float[Tensor, "Q d"],
    *,
    damping: float,
    scale: float,
    steps: int,
    tolerance: float,
    count: int,
) -> Neumann:
    """Run the recursion until the largest relative residual meets the tolerance.

    Args:
        rows: The gradient rows in portions; read once a step and once more.
        v: Query gradients.
        damping: λ, added to the curvature.
        scale: s.
        steps: Steps at most.
        tolerance: Relative residual at which to stop.
        count: Rows of all portions together, N.

    Returns:
        The solution with its residual.

    Raises:
        NonFiniteError: If the recursion diverges.
    """
    share = share_of(rows, count)
    # Below this the residual is rounding, which may rise without divergence.
    floor = torch.finfo(v.dtype).eps ** 0.5
    length = _lengths(v)
    length = torch.where(length == 0, torch.ones_like(length), length)
    r, before = v, 1.0  # as if from x = 0, whose residual is v
    for step in range(steps + 1):
        y, found = apply_curvature(rows, r, count=count)
        y.add_(r, alpha=damping).div_(scale)
        error = float(share.largest((_lengths(y - v) / length).max()))
        # ‖(I − A/s)ʲ v‖ is log-convex in j: once it rises, it rises for ever
        if not error <= max(before * (1 + 1e-3), floor):
            raise NonFiniteError(
                f"the Neumann recursion diverges: the relative residual rose to "
                f"{error:.3g} in step {step} at scale s = {scale:.3g}, which must "
                "exceed half the largest eigenvalue of the damped curvature; raise "
                "scale."
            )
        if step == steps or error <= tolerance:
            break
        r, before = v + r - y, error
    return Neumann(r / scale, y, found.div_(scale), step, error)


def _lengths(rows: Float[Tensor, "Q d"]) -> Float[Tensor, " Q"]:
    return torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
