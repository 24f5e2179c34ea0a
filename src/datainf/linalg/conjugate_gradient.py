"""Solve ``(GᵀG/N + λI) x = v`` by preconditioned conjugate gradients, over a stream.

N training examples, Q queries, d parameters of one block; H = GᵀG/N, A = H + λI.

Every query runs its own recursion (Hestenes and Stiefel 1952); all share each reading
of the rows, and those that are done leave the product. The working format may be
float32: rounding then keeps the true residual above about 6e-8 × the condition number,
whatever the recursion believes. So each run is checked by a product in float64, and the
next one solves for what is left (iterative refinement: Higham, Accuracy and Stability
of Numerical Algorithms, 2002, chapter 12); where that gains too little, the rest is
done in float64. Costs O(NQd) and one reading a step; memory is a few `[Q, d]` and `[Q,
N]`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from datainf.core.share import Combine, as_it_is, share_of
from datainf.linalg.gram import apply_curvature, curvature_times
from datainf.linalg.nystrom import Nystrom

# Relative residual that one run aims at: beyond it the recursion drifts from the truth.
_REACH = {torch.float32: 1e-4, torch.float64: 1e-12}

# A run in float32 that leaves more than this share is not worth another.
_WORTHWHILE = 0.1

# A run stops a little below its goal, since the check is by other arithmetic.
_MARGIN = 0.5


def conjugate_gradient(
    apply: Callable[[Tensor], Tensor],
    precondition: Callable[[Tensor], Tensor],
    b: Float[Tensor, "Q d"],
    *,
    goal: Float64[Tensor, " Q"],
    steps: int,
    agreed: Combine = as_it_is,
) -> tuple[Float[Tensor, "Q d"], int]:
    """Run the recursion from zero; scalars are float64 whatever the vectors are.

    Args:
        apply: Multiplies rows with the positive definite matrix.
        precondition: Multiplies rows with P⁻¹.
        b: Right-hand sides.
        goal: Length of the residual at which each is done.
        steps: Steps at most.
        agreed: Makes lengths the same in every process that takes part.

    Returns:
        The solutions, and the steps taken.
    """
    x = torch.zeros_like(b)
    r, at = b, torch.arange(len(b), device=b.device)
    p, before = r, goal  # of no use until the first step
    taken = 0
    while True:
        left = agreed(_lengths(r)) > goal[at]
        if not bool(left.all()):
            r, p, before, at = r[left], p[left], before[left], at[left]
        if taken == steps or not len(at):
            return x, taken
        z = precondition(r)
        product = _dots(r, z)
        p = z if taken == 0 else z + (product / before).to(p)[:, None] * p
        before = product
        image = apply(p)
        bend = _dots(p, image)
        # positive but for vectors that rounding has emptied: they rest where they are
        alpha = torch.where(bend > 0, product / bend, 0.0).to(p)[:, None]
        x[at] += alpha * p
        r = r - alpha * image
        taken += 1


@dataclass(frozen=True)
class Refined:
    """Where the runs ended.

    Attributes:
        x: The solutions, in float64.
        y: (H + λI) x, a real product in float64.
        products: x Gᵀ of the process's own rows, n of N.
        errors: ‖y − v‖ / ‖v‖, 0 for a zero query.
        steps: Steps of all runs together.
        wide: Whether some steps were taken in float64.
    """

    x: Float64[Tensor, "Q d"]
    y: Float64[Tensor, "Q d"]
    products: Float64[Tensor, "Q n"]
    errors: Float64[Tensor, " Q"]
    steps: int
    wide: bool


def refined_solve(
    rows: Iterable[Float[Tensor, "_ d"]],
    wide_rows: Iterable[Float[Tensor, "_ d"]],
    v: Float[Tensor, "Q d"],
    *,
    preconditioner: Nystrom,
    tolerance: float,
    steps: int,
    count: int,
) -> Refined:
    """Solve until every query's true relative residual meets the tolerance.

    Args:
        rows: The gradient rows in portions, in the working format; read once a step.
        wide_rows: The same rows in float64; read once a run, and once a step where the
            working format does not reach the tolerance.
        v: Query gradients.
        preconditioner: P⁻¹ in the working format, with λ.
        tolerance: ‖(H + λI) x − v‖ / ‖v‖ of each query at which it is done.
        steps: Steps at most.
        count: Rows of all portions together, N.

    Returns:
        The solutions with what is left of each, met or not.
    """
    v, damping = v.double(), preconditioner.damping
    length = _lengths(v)
    x, y = torch.zeros_like(v), torch.zeros_like(v)
    share = share_of(rows, count)
    products = v.new_zeros(len(v), len(share.rows))
    errors = (length > 0).double()
    stuck = torch.zeros_like(length, dtype=torch.bool)
    source, dtype, taken = rows, preconditioner.basis.dtype, 0
    used_wide = False
    while taken < steps:
        at = ((errors > tolerance) & ~stuck).nonzero()[:, 0]
        if not len(at):
            break
        used_wide = dtype == torch.float64
        size = errors[at] * length[at]
        b = ((v[at] - y[at]) / size[:, None]).to(dtype)
        goal = (_MARGIN * tolerance / errors[at]).clamp_(min=_REACH[dtype])

        def apply(p: Tensor, source: Iterable[Tensor] = source) -> Tensor:
            # in units of λ: gradients of any size stay within the number format
            return curvature_times(source, p, count=count).div_(damping).add_(p)

        move, used = conjugate_gradient(
            apply,
            preconditioner.apply,
            b,
            goal=goal,
            steps=steps - taken,
            agreed=share.largest,
        )
        taken += used
        tried = x[at].addcmul_(move.double(), (size / damping)[:, None])
        image, found = apply_curvature(wide_rows, tried, count=count)
        image.add_(tried, alpha=damping)
        now = share.largest(_lengths(image - v[at]) / length[at])
        better = now < errors[at]
        slow = ~(now <= (errors[at] * _WORTHWHILE).clamp_(min=tolerance))
        x[at[better]], y[at[better]] = tried[better], image[better]
        products[at[better]] = found[better]
        errors[at[better]] = now[better]
        if bool(slow.any()):
            if dtype == torch.float64:
                stuck[at[slow]] = True
            else:
                source, dtype = wide_rows, torch.float64
                preconditioner = preconditioner.to(dtype)
    return Refined(x, y, products, errors, taken, used_wide)


def _lengths(rows: Float[Tensor, "q d"]) -> Float64[Tensor, " q"]:
    return torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)


def _dots(a: Float[Tensor, "q d"], b: Float[Tensor, "q d"]) -> Float64[Tensor, " q"]:
    return (a * b).sum(dim=1, dtype=torch.float64)
