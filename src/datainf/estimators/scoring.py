"""The loop that all methods share: curvature groups outermost, all queries together.

N candidates, Q queries, G curvature groups, d parameters of a group, n rows of a
portion.

For each group: read the queries' part once, let the method make x of it, and multiply x
with the candidates' part. Memory: `[Q, N]`, a few `[Q, d]`, one portion, the method's
own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from datainf.core.errors import DataError, NonFiniteError
from datainf.core.source import GradientSource
from datainf.estimators.census import Census, take_census
from datainf.estimators.stream import GroupRows
from datainf.linalg.gram import products
from datainf.linalg.residual import residual_and_scale


@dataclass(frozen=True)
class Solution:
    """What a method makes of the queries in one group.

    Attributes:
        x: The vector whose product with a candidate's gradient is minus its score.
        y: (H + λI) x, for residual and scale; None where no system is solved.
        products: x Gᵀ over the curvature rows where it fell out on the way; spares a
            reading when those are the candidates.
        facts: Numbers about the work, for the method's notes.
    """

    x: Float[Tensor, "Q d"]
    y: Float[Tensor, "Q d"] | None = None
    products: Float[Tensor, "Q N"] | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


Solve = Callable[[Tensor, GroupRows, float], Solution]
"""A method: query gradients, curvature rows and λ of one group to its solution."""


@dataclass(frozen=True)
class Problem:
    """What is to be scored, and how its rows are grouped and scaled.

    Attributes:
        curvature: Rows the curvature is made of.
        candidates: Rows to be scored; may be the same object.
        queries: Rows whose loss is explained.
        groups: Group name -> its blocks.
        damping: Group name -> λ; empty for methods that divide by none.
        unit_training: Whether curvature rows and candidates are scaled to unit length.
        unit_queries: Whether queries are.
    """

    curvature: GradientSource
    candidates: GradientSource
    queries: GradientSource
    groups: Mapping[str, tuple[str, ...]]
    damping: Mapping[str, float]
    unit_training: bool
    unit_queries: bool


@dataclass(frozen=True, eq=False)
class Found:
    """Scores of all groups, as arrays, and what there is to say about them."""

    values: NDArray[np.floating]
    residual: NDArray[np.floating]
    scale: NDArray[np.floating]
    per_block: NDArray[np.floating] | None
    facts: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]


def score_groups(problem: Problem, solve: Solve, *, keep_blocks: bool) -> Found:
    """Score every candidate for every query, group by group.

    Args:
        problem: Rows, groups and λ.
        solve: The method: `(v, curvature rows, λ)` of one group to its solution.
        keep_blocks: Keep each group's scores too.

    Returns:
        The scores, proponents negative.
    """
    scored = take_census(
        problem.candidates, "candidates", unit_length=problem.unit_training
    )
    asked = take_census(problem.queries, "queries", unit_length=False)
    dtype, device = _arithmetic(problem)
    shape = len(problem.queries), len(problem.candidates)
    values = torch.zeros(shape, dtype=dtype, device=device)
    kept: list[Tensor] = []
    residual = np.full((shape[0], len(problem.groups)), np.nan)
    scale = residual.copy()
    facts, silent = {}, []
    for g, (name, members) in enumerate(problem.groups.items()):
        rows = GroupRows(
            name, problem.curvature, members, dtype, device, problem.unit_training
        )
        if _is_silent(problem, rows, scored):
            silent.append(name)
            part = torch.zeros_like(values)
        else:
            v = _queries(problem, asked, rows)
            solution = solve(v, rows, problem.damping.get(name, 0.0))
            facts[name] = solution.facts
            if solution.y is not None:
                pair = residual_and_scale(solution.y, v)
                residual[:, g], scale[:, g] = (each.cpu().numpy() for each in pair)
            part = _scores(problem, solution, rows)
        values += part
        if keep_blocks:
            kept.append(part.to("cpu", dtype))
    return Found(
        values=values.cpu().numpy(),
        residual=residual,
        scale=scale,
        per_block=torch.stack(kept).numpy() if keep_blocks else None,
        facts=facts,
        notes=tuple(_notes(problem, scored, asked, silent)),
    )


def _arithmetic(problem: Problem) -> tuple[torch.dtype, torch.device]:
    """Choose the widest dtype there is, from float32, and the queries' device."""
    first = [
        next(iter(source.rows(size=1))).gradients
        for source in (problem.queries, problem.candidates, problem.curvature)
    ]
    dtypes = [tensor.dtype for gradients in first for tensor in gradients.values()]
    device = next(iter(first[0].values())).device
    return reduce(torch.promote_types, dtypes, torch.float32), device


def _is_silent(problem: Problem, rows: GroupRows, scored: Census) -> bool:
    """Tell whether a group has no gradient at all and so contributes nothing."""
    if not problem.damping:
        return False
    damping = problem.damping[rows.name]
    if damping == 0:
        loud = [name for name in rows.members if scored.totals[name] > 0]
        if loud:
            raise NonFiniteError(
                f"curvature group {rows.name} has only zero gradients (λ = 0) but the "
                f"candidates' gradients of {', '.join(loud)} are not zero, so their "
                "scores would be infinite; use curvature rows that reach this group."
            )
        return True
    if damping < torch.finfo(rows.dtype).tiny / torch.finfo(rows.dtype).eps:
        raise DataError(
            f"λ = {damping:.3g} of curvature group {rows.name} is lost in "
            f"{rows.dtype}; raise damping, or give the queries' gradients in float64."
        )
    if damping > torch.finfo(rows.dtype).max:
        raise DataError(
            f"λ = {damping:.3g} of curvature group {rows.name} is too large for "
            f"{rows.dtype}; lower damping, or give the queries' gradients in float64."
        )
    return False


def _queries(problem: Problem, asked: Census, rows: GroupRows) -> Float[Tensor, "Q d"]:
    """Gather the queries' gradients of one group."""
    reader = replace(rows, source=problem.queries, unit_length=problem.unit_queries)
    v = torch.empty(len(asked.lengths), rows.size, dtype=rows.dtype, device=rows.device)
    start = 0
    for part in reader:
        v[start : start + len(part)] = part
        start += len(part)
    return v


def _scores(
    problem: Problem, solution: Solution, rows: GroupRows
) -> Float[Tensor, "Q N"]:
    """Multiply x with the candidates, unless the method has done so on its way."""
    if solution.products is not None and problem.candidates is problem.curvature:
        return solution.products.neg()
    x = solution.x
    reader = replace(rows, source=problem.candidates, dtype=x.dtype)
    return products(reader, x, count=reader.count).neg_()


def _notes(
    problem: Problem, scored: Census, asked: Census, silent: list[str]
) -> Iterator[str]:
    """Say what was left at zero, and how much of it."""
    if problem.unit_training and scored.zero_rows:
        yield (
            f"{scored.zero_rows} of {len(scored.lengths)} training gradients have "
            "length zero and stay zero; their scores are 0."
        )
    if problem.unit_queries and asked.zero_rows:
        yield (
            f"{asked.zero_rows} of {len(asked.lengths)} query gradients have length "
            "zero; their scores are 0."
        )
    if silent:
        yield (
            f"{len(silent)} of {len(problem.groups)} curvature groups have only zero "
            f"gradients and contribute 0: {', '.join(silent)}."
        )
