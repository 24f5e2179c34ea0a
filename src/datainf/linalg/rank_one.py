"""Apply the mean of rank-one inverses, the step that gives DataInf its speed.

N training examples, Q queries, d parameters of one block; n rows of one portion.

DataInf replaces the inverse of a mean by the mean of inverses
(Kwon et al., ICLR 2024, arXiv:2310.00902, Eq. 4):

    ((1/N) Σᵢ gᵢgᵢᵀ + λI)⁻¹  ≈  (1/N) Σᵢ (gᵢgᵢᵀ + λI)⁻¹

and Sherman-Morrison turns each term into two dot products. Exact for N = 1 and as λ →
∞. Costs O(NQd) time and O(Qd + Qn) memory: the rows are read once, portion by portion.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import OptionError
from datainf.core.share import share_of

# "_", not "n": portions of one stream differ in length.
Portion = tuple[Float[Tensor, "_ d"], Float[Tensor, " _"]]


def mean_rank_one_solve(
    portions: Iterable[Portion],
    v: Float[Tensor, "Q d"],
    *,
    damping: float,
    count: int,
) -> tuple[Float[Tensor, "Q d"], Float[Tensor, " Q"]]:
    """Solve ``(1/N) Σᵢ (gᵢgᵢᵀ + λI)⁻¹ v`` for every query at once.

    Args:
        portions: The gradient rows of one block and their squared lengths, in pieces of
            any size; read once.
        v: Query gradients of the same block.
        damping: λ, in squared-gradient units. Must be positive.
        count: Rows of all portions together, N.

    Returns:
        One preconditioned query gradient per row, and max over i of |v·gᵢ|: where
        λ|x·gᵢ| is far below it, the two terms of x cancel and take its digits with
        them.

    Raises:
        OptionError: If ``damping`` is not positive.

    Examples:
        >>> g, v = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 2.0]])
        >>> mean_rank_one_solve([(g, g.square().sum(1))], v, damping=0.5, count=1)
        (tensor([[2., 4.]]), tensor([3.]))
    """
    if not damping > 0:
        raise OptionError(f"λ must be positive, got {damping}.")
    shrink, largest = torch.zeros_like(v), v.new_zeros(len(v))
    for g, squared_norms in portions:
        weight = v @ g.T  # [Q, n]
        largest = torch.maximum(largest, weight.abs().amax(dim=1))
        shrink.addmm_(weight.div_(damping + squared_norms), g)
        del g  # before the next portion is read
    share = share_of(portions, count)
    shrink, largest = share.add_up(shrink), share.largest(largest)
    return shrink.div_(-count).add_(v).div_(damping), largest
