"""Products with a gradient matrix that is too large to hold: read it in portions.

N training examples, Q queries, d parameters of one block, n rows of one portion, w
columns of one slab. G is the matrix of the rows gᵢ. "Rows" are any iterable of portions
`[n, d]` that can be read again (portions differ in length: "_" in the signatures);
"slabs" are column ranges `[N, w]`. Every function reads its input once; what it holds
besides is one portion and its own result: a portion is let go of (`del`) before the
next one is read. Where rows are shared among processes (`core.share`), sums are those
over all rows, and columns "n" those of the process's own rows.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.share import share_of


def products(
    rows: Iterable[Float[Tensor, "_ d"]], x: Float[Tensor, "Q d"], *, count: int
) -> Float[Tensor, "Q n"]:
    """Multiply every query with every row, ``x Gᵀ``; O(NQd).

    Args:
        rows: The gradient rows in portions.
        x: One vector a query.
        count: Rows of all portions together, N.

    Returns:
        The dot products.
    """
    found = x.new_empty(len(x), len(share_of(rows, count).rows))
    start = 0
    for g in rows:
        found[:, start : start + len(g)] = x @ g.T
        start += len(g)
        del g
    return found


def weighted_sum(
    rows: Iterable[Float[Tensor, "_ d"]], weights: Float[Tensor, "Q N"], *, size: int
) -> Float[Tensor, "Q d"]:
    """Add up the rows with weights, ``weights G``; O(NQd).

    Args:
        rows: The gradient rows in portions.
        weights: One weight a query and row.
        size: Number of columns, d.

    Returns:
        One sum a query.
    """
    share = share_of(rows, weights.shape[1])
    total = weights.new_zeros(len(weights), size)
    start = share.rows.start
    for g in rows:
        total.addmm_(weights[:, start : start + len(g)], g)
        start += len(g)
        del g
    return share.add_up(total)


def apply_curvature(
    rows: Iterable[Float[Tensor, "_ d"]], x: Float[Tensor, "Q d"], *, count: int
) -> tuple[Float[Tensor, "Q d"], Float[Tensor, "Q n"]]:
    """Multiply with the curvature without forming it: ``x GᵀG / N``; O(NQd).

    Args:
        rows: The gradient rows in portions.
        x: One vector a query.
        count: Rows of all portions together, N.

    Returns:
        The curvature times x, and ``x Gᵀ``, which is found on the way.
    """
    share = share_of(rows, count)
    found = x.new_empty(len(x), len(share.rows))
    total = torch.zeros_like(x)
    start = 0
    for g in rows:
        part = x @ g.T  # [Q, n]
        found[:, start : start + len(g)] = part
        total.addmm_(part, g)
        start += len(g)
        del g
    return share.add_up(total).div_(count), found


def largest_product(
    rows: Iterable[Float[Tensor, "_ d"]], found: Float[Tensor, "Q n"], *, count: int
) -> Float[Tensor, " Q"]:
    """Look for the largest of some products, ``max |x·gᵢ|`` over all rows.

    Args:
        rows: The gradient rows; not read.
        found: ``x Gᵀ`` of the process's own rows.
        count: Rows of all portions together, N.

    Returns:
        One number a query.
    """
    share = share_of(rows, count)
    if not len(share.rows):
        return share.largest(found.new_zeros(len(found)))
    return share.largest(found.abs().amax(dim=1))


def curvature_times(
    rows: Iterable[Float[Tensor, "_ d"]], x: Float[Tensor, "Q d"], *, count: int
) -> Float[Tensor, "Q d"]:
    """Multiply with the curvature and keep nothing of size N; O(NQd).

    Args:
        rows: The gradient rows in portions.
        x: One vector a query.
        count: Rows of all portions together, N.

    Returns:
        ``x GᵀG / N``.
    """
    total = torch.zeros_like(x)
    for g in rows:
        total.addmm_(x @ g.T, g)
        del g
    return share_of(rows, count).add_up(total).div_(count)


def curvature_matrix(
    rows: Iterable[Float[Tensor, "_ d"]],
    *,
    count: int,
    size: int,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "d d"]:
    """Form ``GᵀG / N`` in float64; O(Nd²) time, d² numbers.

    Args:
        rows: The gradient rows in portions, in float64.
        count: Rows of all portions together, N.
        size: Number of columns, d.
        device: Where the rows lie.

    Returns:
        The mean of the rows' outer products.
    """
    matrix = torch.zeros(size, size, dtype=torch.float64, device=device)
    for g in rows:
        matrix.addmm_(g.T, g)
        del g
    return share_of(rows, count).add_up(matrix).div_(count)


def gram_matrix(
    slabs: Iterable[Float[Tensor, "N _"]],
    *,
    count: int,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "N N"]:
    """Form ``GGᵀ`` in float64 from column ranges; O(N²d) time, N² numbers.

    Args:
        slabs: Column ranges of G, in float64, that together hold each column once;
            where processes share them, each column in one of these.
        count: Number of rows, N.
        device: Where the slabs lie.

    Returns:
        The rows' dot products with each other.
    """
    matrix = torch.zeros(count, count, dtype=torch.float64, device=device)
    for slab in slabs:
        matrix.addmm_(slab, slab.T)
        del slab
    return share_of(slabs, count).add_up(matrix)
