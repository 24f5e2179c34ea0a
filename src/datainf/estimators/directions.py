"""The vectors whose products with gradients are the scores, from either side.

P the method's own symmetric matrix (most often an approximation of (H + λI)⁻¹), block
by block; v_q a query's gradient, g_k a candidate's:

    I(z_k) = −Σ_l x_{q,l}·g_{k,l} / c_{k,l} = −Σ_l z_{k,l}·v_{q,l} / u_q,
    x_q = P v_q / u_q,   z_k = P (g_k / c_k)

with c_{k,l} the candidate's length (`normalize="example"`), that within block l
(`"block"`), the root of its self-influence (`"relatif"`) or 1, and u_q the query's
length (`cosine`) or 1. Whatever a gradient is the sum of (label tokens, say), the score
is then the sum of its parts' products.

Q queries, K candidates, d parameters of a block. Memory: `[Q + K, D]`.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from datainf.core.options import Normalize
from datainf.core.source import GradientSource
from datainf.estimators.census import take_census
from datainf.estimators.problem import Prepare, Problem
from datainf.estimators.scoring import query_gradients
from datainf.estimators.self_influence import relative_divisor
from datainf.estimators.stream import divisors

Vectors = dict[str, Tensor]
"""Block -> `[rows, d]`."""


@dataclass(frozen=True)
class Directions:
    """Scores as products: −Σ x_q·g_k / c_k = −Σ z_k·v_q / u_q over the blocks.

    Attributes:
        of_queries: x, `[Q, d]` a block.
        of_candidates: z, `[K, d]` a block.
        candidate_lengths: c, `[K]` a block.
        query_lengths: u, `[Q]`.
    """

    of_queries: Vectors
    of_candidates: Vectors
    candidate_lengths: Vectors
    query_lengths: Float64[Tensor, " Q"]

    def for_candidate(self, query: int, candidate: int) -> Vectors:
        """Give the vector whose product with the candidate's gradient is −score.

        Args:
            query: Place of the query.
            candidate: Place of the candidate.

        Returns:
            x_q / c_k, `[d]` a block.
        """
        return {
            name: x[query] / self.candidate_lengths[name][candidate].to(x)
            for name, x in self.of_queries.items()
        }

    def for_query(self, query: int, candidate: int) -> Vectors:
        """Give the vector whose product with the query's gradient is −score.

        Args:
            query: Place of the query.
            candidate: Place of the candidate.

        Returns:
            z_k / u_q, `[d]` a block.
        """
        return {
            name: z[candidate] / self.query_lengths[query].to(z)
            for name, z in self.of_candidates.items()
        }


def preconditioned(problem: Problem, prepare: Prepare) -> Vectors:
    """Let the method make x of the queries, group by group.

    Args:
        problem: Rows, groups and λ; its candidates only tell which groups are silent.
        prepare: The method.

    Returns:
        Block -> `[Q, d]`, 0 in groups without any gradient, in the layout's order.
    """
    sizes = problem.queries.layout.sizes
    scored = take_census(problem.candidates, "candidates", Normalize.NONE)
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
    x = preconditioned(asked, prepare)
    # A candidate in a query's place is divided by what it is divided by as a candidate.
    z = preconditioned(replace(scored, query_scale=scored.normalize), prepare)
    given = _divisors(scored.queries, scored.normalize)
    if scored.relative:
        own = relative_divisor(_own_products(z, scored.queries))
        z = {name: part / own.to(part)[:, None] for name, part in z.items()}
        given = dict.fromkeys(given, own)
    # Over all blocks, so each block's are the same.
    query_lengths = next(iter(_divisors(asked.queries, asked.query_scale).values()))
    return Directions(
        of_queries=x,
        of_candidates=z,
        candidate_lengths=given,
        query_lengths=query_lengths,
    )


def _divisors(source: GradientSource, normalize: Normalize) -> Vectors:
    """Give what each block of all rows is divided by, `[n]` a block."""
    found = [divisors(part.squared_norms, normalize).cpu() for part in source.rows([])]
    columns = torch.cat(found).unbind(dim=1)
    return dict(zip(source.layout.names, columns, strict=True))


def _own_products(z: Vectors, source: GradientSource) -> Float64[Tensor, " K"]:
    """Self-influence g·P g of every row."""
    total = torch.zeros(len(source), dtype=torch.float64)
    for part in source.rows():
        here = slice(part.start, part.start + len(part))
        for name, rows in part.gradients.items():
            own = z[name][here].double().cpu() * rows.double().cpu()
            total[here] += own.sum(dim=1)
    return total
