"""`auto`: the most exact method that fits the stated memory and time.

Tried in this order: `exact`, `cg` (exact to its tolerance), `datainf` (the closed
form), `scaled-dot` (its weights between blocks alone). The first whose estimated cost
(`cost.py`) lies within both budgets is taken, with its own defaults; where none does,
that is an error. The scores are the chosen method's, and say so; a note says why.
N curvature rows, Q queries, d parameters of a group.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from datainf.core.errors import OptionError
from datainf.core.records import Scores
from datainf.core.share import Share
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator, State
from datainf.estimators.cg import CG
from datainf.estimators.checks import require_positive
from datainf.estimators.cost import Cost, Shape, available_bytes, bytes_of, cost
from datainf.estimators.datainf import DataInf
from datainf.estimators.exact import Exact
from datainf.estimators.problem import Solver
from datainf.estimators.scaled_dot import ScaledDot
from datainf.estimators.stream import GroupRows

_GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Auto(Estimator):
    """Another method, chosen by what it costs.

    Attributes:
        max_memory: Bytes, or a text such as "2GiB"; half of what is free when None.
        max_seconds: Time for the scores.
    """

    max_memory: int | str | None = None
    max_seconds: float = 60.0

    name: ClassVar[str] = "auto"

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        require_positive(self.name, "max_seconds", self.max_seconds)
        if self.max_memory is not None:
            amount = bytes_of(self.max_memory, f"{self.name}: max_memory")
            object.__setattr__(self, "max_memory", amount)

    def score(
        self,
        state: State,
        candidates: GradientSource,
        queries: GradientSource,
        *,
        keep_blocks: bool = False,
    ) -> Scores:
        """Choose, and let the chosen method score.

        Args:
            state: What `fit` gave.
            candidates: The training rows to be scored.
            queries: The rows whose loss is explained.
            keep_blocks: Keep the scores of every group too.

        Returns:
            The chosen method's scores, with a note that says which and why.
        """
        problem = self._problem(state, candidates, queries)
        chosen, why = self._choose(
            Shape(
                len(state.source),
                len(candidates),
                len(queries),
                self._sizes(state.source),
                shared=candidates is state.source,
                own=problem.relative,
            ),
            problem.share,
            problem.dtype,
            problem.device,
        )
        inner = State(chosen, state.source, state.damping, state.notes)
        found = chosen.score(inner, candidates, queries, keep_blocks=keep_blocks)
        return _noted(found, why)

    def score_themselves(
        self, state: State, candidates: GradientSource, *, keep_blocks: bool = False
    ) -> Scores:
        """Choose, and let the chosen method score every candidate for itself.

        Args:
            state: What `fit` gave.
            candidates: The training rows.
            keep_blocks: Keep the scores of every group too.

        Returns:
            The chosen method's self-influence, with a note that says which and why.
        """
        problem = self._problem(state, candidates, candidates)
        chosen, why = self._choose(
            Shape(
                len(state.source),
                len(candidates),
                0,
                self._sizes(state.source),
                shared=candidates is state.source,
                own=True,
            ),
            problem.share,
            problem.dtype,
            problem.device,
        )
        inner = State(chosen, state.source, state.damping, state.notes)
        found = chosen.score_themselves(inner, candidates, keep_blocks=keep_blocks)
        return _noted(found, why)

    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Choose for one group alone, for as many queries as it has rows.

        Args:
            rows: Curvature rows.
            damping: λ.

        Returns:
            The chosen method's solver.
        """
        shape = Shape(rows.count, rows.count, rows.count, (rows.size,))
        chosen, _ = self._choose(shape, rows.share, rows.dtype, rows.device)
        return chosen.prepare(rows, damping)

    def _choose(
        self, shape: Shape, share: Share, dtype: torch.dtype, device: torch.device
    ) -> tuple[Estimator, str]:
        """Give the first method that fits everywhere, and why, in a sentence."""
        memory = self.max_memory or available_bytes(device) // 2
        budget = f"{self.max_seconds:.3g} s and {int(memory) / _GIB:.3g} GiB"
        passed: list[str] = []
        for method in self._in_order(shape):
            needed = cost(
                method.name, shape, wide=dtype == torch.float64, device=str(device)
            )
            # Each process knows its own machine; all must choose alike.
            if share.least(float(self._fits(needed, int(memory)))):
                over = f"; passed over {', '.join(passed)}" if passed else ""
                return method, (
                    f"auto chose {method.name}, the most exact method within {budget}: "
                    f"{needed}{over}."
                )
            passed.append(f"{method.name} ({needed})")
        raise OptionError(
            f"auto: no method fits into {budget}: {', '.join(passed)}; raise "
            "max_seconds or max_memory, or name a method."
        )

    def _in_order(self, shape: Shape) -> Iterator[Estimator]:
        """Go through the methods, the most exact first."""
        # `exact` has a limit of its own, which the budget takes the place of.
        largest = max(8 * min(d, shape.rows) ** 2 for d in shape.sizes)
        yield Exact(**self._shared(), max_bytes=max(Exact.max_bytes, largest))
        for method in (CG, DataInf, ScaledDot):
            yield method(**self._shared())

    def _fits(self, needed: Cost, memory: int) -> bool:
        return needed.seconds <= self.max_seconds and needed.bytes <= memory

    def _shared(self) -> dict[str, Any]:
        """Give the options that all methods have."""
        return {
            "damping": self.damping,
            "blocks": self.blocks,
            "normalize": self.normalize,
        }

    def _sizes(self, source: GradientSource) -> tuple[int, ...]:
        """Give d of every group."""
        sizes = source.layout.sizes
        return tuple(
            sum(sizes[name] for name in members)
            for members in self.groups_of(source.layout).values()
        )


def _noted(scores: Scores, why: str) -> Scores:
    """Add the reason for the choice to the method's own notes."""
    made = scores.provenance
    return replace(scores, provenance=replace(made, notes=(*made.notes, why)))
