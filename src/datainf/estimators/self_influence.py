"""Every row's influence on its own loss, and what is divided by its root.

    s_k = Σ_l g_{l,k}ᵀ P_l g_{l,k},   I(z_k -> its own loss) = −s_k

with P_l the method's own inverse in group l. Large where a row's gradient is long and
unlike the others': mistakes, oddities, what was learnt by heart (Koh and Liang, ICML
2017, arXiv:1703.04730; Pruthi et al., NeurIPS 2020, arXiv:2002.08484). Dividing a
score by √s_k (RelatIF: Barshan et al., AISTATS 2020, arXiv:2003.11630, with θ-relative
influence) asks which row changes the query most among those that change the model by
the same amount.

Every candidate takes the query's place once, portion by portion, so the cost is that of
N queries: O(N²D) for methods over the curvature rows. Memory: as for one portion of
queries. Processes that share the rows go through all candidates together. N
candidates, G curvature groups, d parameters of a group.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray
from torch import Tensor

from datainf.core.errors import NonFiniteError
from datainf.core.share import whole_of
from datainf.estimators.census import take_census
from datainf.estimators.problem import Prepare, Problem, Solver, Work
from datainf.estimators.stream import GroupRows
from datainf.linalg.residual import residual_and_scale


@dataclass(frozen=True)
class OwnProducts:
    """What one group adds to every row's self-influence.

    Attributes:
        products: g_kᵀ P g_k.
        residual: The largest over the rows, NaN where no system is solved.
        scale: At that row.
    """

    products: Float64[Tensor, " N"]
    residual: float
    scale: float


@dataclass(frozen=True, eq=False)
class OwnScores:
    """Self-influence as scores: of one query, which is each candidate itself.

    Attributes:
        per_block: `[G, N]`, −g_kᵀ P g_k.
        residual: `[1, G]`, the worst of all rows.
        scale: `[1, G]`, at that row.
        silent: Groups with only zero gradients.
        facts: Group name -> what its solutions reported, the largest of each.
        notes: Which rows miss the method's tolerance.
    """

    per_block: NDArray[np.float64]
    residual: NDArray[np.float64]
    scale: NDArray[np.float64]
    silent: tuple[str, ...]
    facts: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]


def own_products(
    problem: Problem, solver: Solver, rows: GroupRows, work: Work
) -> OwnProducts:
    """Let every candidate be its own query in one group.

    Args:
        problem: Whose candidates.
        solver: The method in this group.
        rows: The group's curvature rows.
        work: Takes in what the solutions report.

    Returns:
        One product a candidate, with the worst residual.
    """
    found: list[Tensor] = []
    worst, at, start = math.nan, math.nan, 0
    for part in replace(rows, source=whole_of(problem.candidates)):
        solution = solver(part)
        work.add(rows.name, solution, start)
        start += len(part)
        product = (solution.x.double() * part.double()).sum(dim=1)
        found.append(product)
        if solution.y is not None:
            residual, scale = residual_and_scale(solution.y, part)
            here = int(residual.argmax())
            if not float(residual[here]) <= worst:
                worst, at = float(residual[here]), float(scale[here])
        del part
    return OwnProducts(torch.cat(found), worst, at)


def own_scores(problem: Problem, prepare: Prepare) -> OwnScores:
    """Let every candidate be its own query in every group.

    Args:
        problem: Rows, groups and λ; its queries are the candidates.
        prepare: The method.

    Returns:
        Self-influence of every candidate, group by group.
    """
    scored = take_census(problem.candidates, "candidates", problem.normalize)
    parts, silent = [], []
    work = Work(len(problem.candidates))
    for name in problem.groups:
        if problem.is_silent(name, scored):
            silent.append(name)
            zero = torch.zeros(len(problem.candidates), dtype=torch.float64)
            parts.append(OwnProducts(zero, math.nan, math.nan))
            continue
        rows = problem.rows_of(name)
        solver = prepare(rows, problem.damping.get(name, 0.0))
        parts.append(own_products(problem, solver, rows, work))
    return OwnScores(
        per_block=torch.stack([part.products.cpu() for part in parts]).neg_().numpy(),
        residual=np.array([[part.residual for part in parts]]),
        scale=np.array([[part.scale for part in parts]]),
        silent=tuple(silent),
        facts=work.facts,
        notes=tuple(work.notes("training rows")),
    )


def relative_divisor(own: Float64[Tensor, " N"]) -> Float64[Tensor, " N"]:
    """Give the root of self-influence, 1 where it is zero.

    Args:
        own: s_k.

    Returns:
        √s_k.

    Raises:
        NonFiniteError: If one is negative: the method's inverse is not a positive one.
    """
    if bool((own < 0).any()):
        row = int((own < 0).nonzero()[0])
        raise NonFiniteError(
            f"normalize='relatif': the self-influence of training row {row} is "
            f"{float(own[row]):.3g}, and its root is needed; the system is not solved "
            "well enough: raise damping or the method's steps."
        )
    return torch.where(own == 0, torch.ones_like(own), own.sqrt())


def relative_notes(own: Float64[Tensor, " N"]) -> Iterator[str]:
    """Say how many rows have no self-influence to divide by.

    Args:
        own: s_k.

    Yields:
        One sentence, if there are any.
    """
    zero = int((own == 0).sum())
    if zero:
        yield (
            f"{zero} of {len(own)} training gradients have no self-influence to divide "
            "by; their scores are 0."
        )
