"""The loop that all methods share: curvature groups outermost, all queries together.

N candidates, Q queries, G curvature groups, d parameters of a group, n rows of a
portion.

For each group: read the queries' part once, let the method make x of it, and multiply x
with the candidates' part. Memory: `[Q, N]`, a few `[Q, d]`, one portion, the method's
own. Where processes share the candidates, each scores its own, n of N.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from datainf.core.options import Normalize
from datainf.estimators.census import Census, take_census
from datainf.estimators.problem import Prepare, Problem, Solution, Work
from datainf.estimators.self_influence import (
    own_products,
    relative_divisor,
    relative_notes,
)
from datainf.estimators.stream import GroupRows
from datainf.linalg.gram import products
from datainf.linalg.residual import residual_and_scale


@dataclass(frozen=True, eq=False)
class Found:
    """Scores of all groups, as arrays, and what there is to say about them."""

    values: NDArray[np.floating]
    residual: NDArray[np.floating]
    scale: NDArray[np.floating]
    per_block: NDArray[np.floating] | None
    facts: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]


def score_groups(problem: Problem, prepare: Prepare, *, keep_blocks: bool) -> Found:
    """Score every candidate for every query, group by group.

    Args:
        problem: Rows, groups and λ.
        prepare: The method: `(curvature rows, λ)` of one group to its solver.
        keep_blocks: Keep each group's scores too.

    Returns:
        The scores of this process's candidates, proponents negative.
    """
    scored = take_census(problem.candidates, "candidates", problem.normalize)
    asked = take_census(problem.queries, "queries", Normalize.NONE)
    dtype, device = problem.dtype, problem.device
    shape = len(problem.queries), len(problem.share.rows)
    values = torch.zeros(shape, dtype=dtype, device=device)
    own = torch.zeros(len(problem.candidates), dtype=torch.float64, device=device)
    kept: list[Tensor] = []
    residual = np.full((shape[0], len(problem.groups)), np.nan)
    scale = residual.copy()
    work, silent = Work(shape[0]), []
    own_work = Work(len(own))
    for g, name in enumerate(problem.groups):
        if problem.is_silent(name, scored):
            silent.append(name)
            part = torch.zeros_like(values)
        else:
            rows = problem.rows_of(name)
            v = query_gradients(problem, rows)
            solver = prepare(rows, problem.damping.get(name, 0.0))
            solution = solver(v)
            work.add(name, solution)
            if solution.y is not None:
                pair = residual_and_scale(solution.y, v)
                residual[:, g], scale[:, g] = (each.cpu().numpy() for each in pair)
            part = _scores(problem, solution, rows)
            if problem.relative:
                own += own_products(problem, solver, rows, own_work).products
        values += part
        if keep_blocks:
            kept.append(part.to("cpu", dtype))
    notes = [
        *_notes(problem, scored, asked, silent),
        *work.notes("queries"),
        *own_work.notes("training rows, as queries of their own,"),
    ]
    if problem.relative:
        divisor = relative_divisor(own)[problem.share.columns]
        for table in (values, *kept):
            table.div_(divisor.to(table))
        notes += relative_notes(own)
    return Found(
        values=values.cpu().numpy(),
        residual=residual,
        scale=scale,
        per_block=torch.stack(kept).numpy() if keep_blocks else None,
        facts=work.facts,
        notes=tuple(notes),
    )


def query_gradients(problem: Problem, rows: GroupRows) -> Float[Tensor, "Q d"]:
    """Gather the queries' gradients of one group.

    Args:
        problem: Whose queries.
        rows: The group's curvature rows, for dtype and device.

    Returns:
        One row a query, scaled where the method asks for it.
    """
    reader = replace(rows, source=problem.queries, scaled=problem.query_scale)
    v = torch.empty(reader.count, rows.size, dtype=rows.dtype, device=rows.device)
    start = 0
    for part in reader:
        v[start : start + len(part)] = part
        start += len(part)
    return v


def _scores(
    problem: Problem, solution: Solution, rows: GroupRows
) -> Float[Tensor, "Q n"]:
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
    if problem.normalize.scales_rows and scored.zero_rows:
        yield (
            f"{scored.zero_rows} of {len(scored.lengths)} training gradients have "
            "length zero and stay zero; their scores are 0."
        )
    if problem.query_scale.scales_rows and asked.zero_rows:
        yield (
            f"{asked.zero_rows} of {len(asked.lengths)} query gradients have length "
            "zero; their scores are 0."
        )
    yield from silent_notes(silent, len(problem.groups))


def silent_notes(silent: Sequence[str], groups: int) -> Iterator[str]:
    """Say which groups contribute nothing.

    Args:
        silent: Their names.
        groups: How many there are in all.

    Yields:
        One sentence, if there are any.
    """
    if silent:
        yield (
            f"{len(silent)} of {groups} curvature groups have only zero "
            f"gradients and contribute 0: {', '.join(silent)}."
        )
