"""The vectors whose products with gradients are the scores, from either side.

P the method's own symmetric matrix (most often an approximation of (H + λI)⁻¹), block
by block; v_q a query's gradient, g_k a candidate's:

    I(z_k) = −x_q·g_k / c_k = −z_k·v_q / u_q,   x_q = P v_q / u_q,   z_k = P g_k / c_k

with c_k the candidate's length (`normalize="example"`), the root of its self-influence
(`"relatif"`) or 1, and u_q the query's length (`cosine`) or 1. Whatever a gradient is
the sum of (label tokens, say), the score is then the sum of its parts' products.

Q queries, K candidates, d parameters of a block. Memory: `[Q + K, D]`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from datainf.core.source import GradientSource
from datainf.estimators.census import take_census
from datainf.estimators.problem import Prepare, Problem
from datainf.estimators.scoring import query_gradients
from datainf.estimators.self_influence import relative_divisor
from datainf.estimators.stream import lengths

Vectors = dict[str, Tensor]
"""Block -> `[rows, d]`."""


@dataclass(frozen=True)
class Directions:
    """Scores as products: −x_q·g_k / c_k = −z_k·v_q / u_q.

    Attributes:
        of_queries: x, `[Q, d]` a block.
        of_candidates: z, `[K, d]` a block.
        candidate_lengths: c, `[K]`.
        query_lengths: u, `[Q]`.
    """

    of_queries: Vectors
    of_candidates: Vectors
    candidate_lengths: Float64[np.ndarray, " K"]
    query_lengths: Float64[np.ndarray, " Q"]


def preconditioned(problem: Problem, prepare: Prepare) -> Vectors:
    """Let the method make x of the queries, group by group.

    Args:
        problem: Rows, groups and λ; its candidates only tell which groups are silent.
        prepare: The method.

    Returns:
        Block -> `[Q, d]`, 0 in groups without any gradient, in the layout's order.
    """
    sizes = problem.queries.layout.sizes
    scored = take_census(problem.candidates, "candidates", unit_length=False)
    found: Vectors = {}
    for name, members in problem.groups.items():
        rows = problem.rows_of(name)
        v = query_gradients(problem, rows)
        if problem.is_silent(name, scored):
            x = torch.zeros_like(v)
        else:
            x = prepare(rows, problem.damping.get(name, 0.0))(v).x
        parts = torch.split(x, [sizes[member] for member in members], dim=1)
        found.update(zip(members, parts, strict=True))
    return {name: found[name] for name in sizes}


def find_directions(asked: Problem, scored: Problem, prepare: Prepare) -> Directions:
    """Find the vectors of both sides.

    Args:
        asked: The queries.
        scored: The same with the candidates in the queries' place.
        prepare: The method.

    Returns:
        Vectors, and what products with them are divided by.
    """
    x, z = preconditioned(asked, prepare), preconditioned(scored, prepare)
    own_length = _lengths(scored.queries)
    if scored.unit_training:
        divisor = own_length
    elif scored.relative:
        divisor = relative_divisor(_own_products(z, scored.queries))
    else:
        divisor = torch.ones_like(own_length)
    # Where queries have unit length, z has been divided by its own already.
    rest = divisor / own_length if scored.unit_queries else divisor
    return Directions(
        of_queries=x,
        of_candidates={name: part / rest.to(part)[:, None] for name, part in z.items()},
        candidate_lengths=divisor.numpy(),
        query_lengths=(
            _lengths(asked.queries).numpy()
            if asked.unit_queries
            else np.ones(len(asked.queries))
        ),
    )


def _lengths(source: GradientSource) -> Float64[Tensor, " n"]:
    """Lengths of all rows over all blocks, 1 where it is zero."""
    return torch.cat([lengths(part.squared_norms).cpu() for part in source.rows([])])


def _own_products(z: Vectors, source: GradientSource) -> Float64[Tensor, " K"]:
    """Self-influence g·P g of every row."""
    total = torch.zeros(len(source), dtype=torch.float64)
    for part in source.rows():
        here = slice(part.start, part.start + len(part))
        for name, rows in part.gradients.items():
            own = z[name][here].double().cpu() * rows.double().cpu()
            total[here] += own.sum(dim=1)
    return total
