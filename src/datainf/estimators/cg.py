"""`cg`: Eq. 2 by preconditioned conjugate gradients, to a stated tolerance.

    (G_l + λ_l I) x = v,   ‖(G_l + λ_l I) x − v‖ ≤ tolerance ‖v‖ for every query

for N and d both too large for `exact`: it forms neither N×N nor d×d. A randomized
Nyström sketch of G_l (Frangella, Tropp and Udell 2023, arXiv:2110.02820) is made once a
group and preconditions every right-hand side. Equal to `exact` up to the tolerance; a
query that misses it is named. Costs one reading for the sketch, one a step, and one in
float64 a run of steps, each O(NQd); memory is a few `[Q, d]`, a few `[rank, d]` and
`[Q, N]`. N examples, Q queries, d parameters of a group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.estimators.base import Estimator
from datainf.estimators.checks import require_count, require_positive
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows
from datainf.linalg.conjugate_gradient import refined_solve
from datainf.linalg.nystrom import nystrom_preconditioner


@dataclass(frozen=True, kw_only=True)
class CG(Estimator):
    """The damped inverse, iterated until it is one.

    Attributes:
        tolerance: Relative residual at which a query is done in a group.
        max_steps: Steps at most in a group.
        rank: Directions of the preconditioner; more cost memory and spare steps.
        seed: Seeds the preconditioner's sketch.
    """

    tolerance: float = 1e-6
    max_steps: int = 500
    rank: int = 100
    seed: int = 0

    name: ClassVar[str] = "cg"

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        require_positive(self.name, "tolerance", self.tolerance)
        require_count(self.name, "max_steps", self.max_steps)
        require_count(self.name, "rank", self.rank)
        require_count(self.name, "seed", self.seed, least=0)

    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Sketch the curvature of one group.

        Args:
            rows: Curvature rows; read once here, and as the solutions need.
            damping: λ.

        Returns:
            Solves for any query gradients with the one sketch, with steps, error and
            missed queries as facts.
        """
        preconditioner = nystrom_preconditioner(
            rows,
            torch.empty(0, rows.size, dtype=rows.dtype, device=rows.device),
            damping=damping,
            count=rows.count,
            rank=self.rank,
            seed=self.seed,
        )

        def solve(v: Float[Tensor, "Q d"]) -> Solution:
            end = refined_solve(
                rows,
                rows.in_float64(),
                v,
                preconditioner=preconditioner,
                tolerance=self.tolerance,
                steps=self.max_steps,
                count=rows.count,
            )
            missed = (end.errors > self.tolerance).nonzero()[:, 0].tolist()
            facts = {
                "steps": float(end.steps),
                "error": float(end.errors.max()),
                "wide": float(end.wide and rows.dtype != torch.float64),
            }
            return Solution(end.x, end.y, end.products, facts, tuple(missed))

        return solve

    def notes(self, facts: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
        """Give the verdict, and say where float32 was not enough."""
        if not facts:
            return ()
        worst = max(facts, key=lambda group: facts[group]["error"])
        error = facts[worst]["error"]
        steps = int(max(each["steps"] for each in facts.values()))
        wide = int(sum(each["wide"] for each in facts.values()))
        notes = []
        if error <= self.tolerance:
            notes.append(
                f"converged: largest relative residual {error:.1e} after {steps} steps."
            )
        else:
            missing = sum(each["error"] > self.tolerance for each in facts.values())
            notes.append(
                f"not converged: {missing} of {len(facts)} curvature groups miss the "
                f"tolerance {self.tolerance:.1e} after {steps} steps; largest relative "
                f"residual {error:.1e} in {worst}; raise max_steps, rank or damping."
            )
        if wide:
            notes.append(
                f"float32 could not reach the tolerance in {wide} of {len(facts)} "
                "curvature groups; they went on in float64."
            )
        return tuple(notes)
