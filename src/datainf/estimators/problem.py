"""What is to be scored, and what a method makes of it in one curvature group.

N candidates, Q queries, G curvature groups, d parameters of a group.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import DataError, NonFiniteError
from datainf.core.options import Normalize
from datainf.core.share import Share, share_of, whole_of
from datainf.core.source import GradientSource
from datainf.estimators.census import Census
from datainf.estimators.stream import GroupRows

# Queries, and groups, that a note names one by one.
_NAMED = 5


@dataclass(frozen=True)
class Solution:
    """What a method makes of the queries in one group.

    Attributes:
        x: The vector whose product with a candidate's gradient is minus its score.
        y: (H + λI) x, for residual and scale; None where no system is solved.
        products: x Gᵀ over this process's curvature rows where it fell out on the way;
            spares a reading when those are the candidates.
        facts: Numbers about the work, for the method's notes.
        missed: Queries that were not solved to the tolerance that the method has.
    """

    x: Float[Tensor, "Q d"]
    y: Float[Tensor, "Q d"] | None = None
    products: Float[Tensor, "Q n"] | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    missed: tuple[int, ...] = ()


@dataclass
class Work:
    """What the solutions of a problem reported, gathered over groups and portions.

    Attributes:
        facts: Group name -> its facts, each the largest of its solutions.
        missed: Group name -> queries that miss the method's tolerance, where there are.
        asked: Number of queries.
    """

    asked: int
    facts: dict[str, dict[str, float]] = field(default_factory=dict)
    missed: dict[str, list[int]] = field(default_factory=dict)

    def add(self, group: str, solution: Solution, start: int = 0) -> None:
        """Take in one solution.

        Args:
            group: Its group.
            solution: What the method made of some queries.
            start: Position of the first of them.
        """
        known = self.facts.setdefault(group, {})
        for name, value in solution.facts.items():
            known[name] = max(value, known.get(name, value))
        if solution.missed:
            self.missed.setdefault(group, []).extend(
                start + query for query in solution.missed
            )

    def notes(self, what: str) -> Iterator[str]:
        """Say who misses the method's tolerance, group by group.

        Args:
            what: What the queries are ("queries").

        Yields:
            One sentence a group, a few names each.
        """
        for group, queries in islice(self.missed.items(), _NAMED):
            named = ", ".join(map(str, queries[:_NAMED]))
            more = f" and {len(queries) - _NAMED} more" if len(queries) > _NAMED else ""
            yield (
                f"{len(queries)} of {self.asked} {what} miss the tolerance in {group}: "
                f"{named}{more}."
            )
        if len(self.missed) > _NAMED:
            yield f"so do {what} in {len(self.missed) - _NAMED} more curvature groups."


Solver = Callable[[Tensor], Solution]
"""Query gradients `[Q, d]` of one group to their solution; can be called again."""

Prepare = Callable[[GroupRows, float], Solver]
"""A method: curvature rows and λ of one group to what solves there."""


@dataclass(frozen=True)
class Problem:
    """What is to be scored, and how its rows are grouped and scaled.

    Attributes:
        curvature: Rows the curvature is made of.
        candidates: Rows to be scored; may be the same object.
        queries: Rows whose loss is explained.
        groups: Group name -> its blocks.
        damping: Group name -> λ; empty for methods that divide by none.
        normalize: What curvature rows and candidates are divided by, or scores by the
            root of the candidate's self-influence.
        query_scale: What queries are divided by.
    """

    curvature: GradientSource
    candidates: GradientSource
    queries: GradientSource
    groups: Mapping[str, tuple[str, ...]]
    damping: Mapping[str, float]
    normalize: Normalize
    query_scale: Normalize

    @property
    def relative(self) -> bool:
        """Whether scores are divided by the root of the candidate's self-influence."""
        return self.normalize == Normalize.RELATIF

    @property
    def share(self) -> Share:
        """Which candidates this process scores."""
        return share_of(self.candidates, len(self.candidates))

    @cached_property
    def dtype(self) -> torch.dtype:
        """The widest dtype there is, from float32."""
        return reduce(torch.promote_types, self._kinds[0], torch.float32)

    @cached_property
    def device(self) -> torch.device:
        """Where the queries lie."""
        return self._kinds[1]

    @cached_property
    def _kinds(self) -> tuple[set[torch.dtype], torch.device]:
        """Every dtype of the three sources, and the queries' device."""
        dtypes, devices = set(), []
        for source in (self.queries, self.candidates, self.curvature):
            # Of a share there may be no row here.
            for part in islice(whole_of(source).rows(size=1), 1):
                for tensor in part.gradients.values():
                    dtypes.add(tensor.dtype)
                    devices.append(tensor.device)
        return dtypes, devices[0]

    def rows_of(self, group: str) -> GroupRows:
        """Give the curvature rows of one group."""
        return GroupRows(
            group,
            self.curvature,
            self.groups[group],
            self.dtype,
            self.device,
            self.normalize,
        )

    def is_silent(self, group: str, scored: Census) -> bool:
        """Tell whether a group has no gradient at all and so contributes nothing.

        Args:
            group: The group.
            scored: What the candidates' squared lengths tell.

        Returns:
            Whether it has none.

        Raises:
            NonFiniteError: If only the curvature has none.
            DataError: If λ does not fit the arithmetic.
        """
        if not self.damping:
            return False
        damping, dtype = self.damping[group], self.dtype
        if damping == 0:
            loud = [name for name in self.groups[group] if scored.totals[name] > 0]
            if loud:
                raise NonFiniteError(
                    f"curvature group {group} has only zero gradients (λ = 0) but the "
                    f"candidates' gradients of {', '.join(loud)} are not zero, so "
                    "their scores would be infinite; use curvature rows that reach "
                    "this group."
                )
            return True
        if damping < torch.finfo(dtype).tiny / torch.finfo(dtype).eps:
            raise DataError(
                f"λ = {damping:.3g} of curvature group {group} is lost in "
                f"{dtype}; raise damping, or give the queries' gradients in float64."
            )
        if damping > torch.finfo(dtype).max:
            raise DataError(
                f"λ = {damping:.3g} of curvature group {group} is too large for "
                f"{dtype}; lower damping, or give the queries' gradients in float64."
            )
        return False
