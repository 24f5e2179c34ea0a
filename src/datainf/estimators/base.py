"""What every estimator is: a frozen value that turns gradients into scores.

N candidates (training examples), Q queries, G curvature groups, d parameters of a
group.

A method says what becomes of a query's gradient v in one group: x, most often an
approximation of (H + λI)⁻¹ v with H = (1/N) Σᵢ gᵢgᵢᵀ over the curvature rows. The score
of a candidate is then −Σ x·g over the groups: negative = proponent.

This file holds what methods share. Groups are the outermost loop and only a group's
tensors are read, so memory is the `[Q, N]` scores, a few `[Q, d]`, one portion of rows
and what the method itself documents. All queries go through together.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import pandas as pd

from datainf.core.checkpoint import Checkpoint, name_of, require_alike
from datainf.core.errors import OptionError
from datainf.core.layout import Layout
from datainf.core.options import AUTO, Blocks, Normalize, word
from datainf.core.records import Provenance, Scores
from datainf.core.source import GradientSource
from datainf.estimators.census import by_group, take_census
from datainf.estimators.checks import require_positive
from datainf.estimators.combine import combined
from datainf.estimators.directions import (
    Directions,
    Vectors,
    find_directions,
    preconditioned,
)
from datainf.estimators.held_out import judged_dampings, said
from datainf.estimators.problem import Problem, Solver
from datainf.estimators.scoring import score_groups, silent_notes
from datainf.estimators.self_influence import own_scores
from datainf.estimators.stream import GroupRows
from datainf.linalg.damping import block_damping


@dataclass(frozen=True)
class State:
    """What `fit` found: small, since the rows stay where they are.

    Attributes:
        estimator: The value that was fitted.
        source: The curvature rows, read again while scoring.
        damping: λ of each curvature group; empty for methods without one.
        notes: What there is to say about how it was chosen.
    """

    estimator: "Estimator"
    source: GradientSource
    damping: Mapping[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimator(ABC):
    """A method with its options. Values do not change; equal options, equal estimators.

    Laws, held by the tests on every method:
        - scores are linear in the query's gradient (`cosine`: unchanged by its length);
        - permuting the candidates permutes the scores, and nothing else;
        - scores do not depend on how a source cuts its rows into portions;
        - the same rows as curvature or as a copy of it give the same scores;
        - `residual` lies in [0, 1], NaN where no system is solved.

    Attributes:
        damping: λ of a group = damping × its mean squared gradient entry; "auto"
            chooses each group's by rows held out (`estimators.held_out`).
        blocks: Which tensors share a curvature group.
        normalize: Whether training gradients (curvature rows and candidates, never
            queries) are scaled to unit length, over all blocks or in each, or scores
            divided by the root of the candidate's self-influence.

    None stands for the method's own default.
    """

    damping: float | str | None = 0.1
    blocks: Blocks | str | None = Blocks.TENSOR
    normalize: Normalize | str | None = Normalize.NONE

    name: ClassVar[str]
    divides: ClassVar[bool] = True
    """Whether the method divides by curvature or λ, and so takes a damping."""
    compared: ClassVar[bool] = True
    """Whether it approximates what `exact` solves, so that the two can be compared."""
    unit_queries: ClassVar[bool] = False
    """Whether queries are scaled to unit length over all blocks."""
    flat: ClassVar[bool] = False
    """Whether a block's score is the plain product, up to one number a block."""
    needs_factors: ClassVar[bool] = False  # Kronecker factors of the curvature rows
    output: ClassVar[str] = "loss"
    """What the gradients are taken of, as `collect(output=...)` says."""
    mixes_blocks: ClassVar[bool] = False
    """Whether the method makes one feature of all blocks, so that none are grouped."""
    follows_training: ClassVar[bool] = False
    """Whether the method is a sum along training, and so wants its checkpoints."""
    needs_moments: ClassVar[bool] = False
    """Whether checkpoints must hold Adam's moments."""

    def __post_init__(self) -> None:
        """Fill in defaults and check the options all methods share.

        Raises:
            OptionError: If one is out of range, or is none of the method's.
        """
        for option in fields(self):
            if getattr(self, option.name) is None:
                object.__setattr__(self, option.name, option.default)
        for name, kind in (("blocks", Blocks), ("normalize", Normalize)):
            object.__setattr__(self, name, word(kind, getattr(self, name), name))
        if self.mixes_blocks and self.normalize == Normalize.BLOCK:
            raise OptionError(
                f"{self.name} makes one feature of all blocks, got normalize='block'; "
                "use normalize='example'."
            )
        if self.divides and self.damping != AUTO:
            require_positive(self.name, "damping", self.damping)
        elif not self.divides and self.damping is not None:
            raise OptionError(
                f"{self.name} does not use damping, got {self.damping!r}; leave it out."
            )
        if self.mixes_blocks and self.blocks != Blocks.ALL:
            raise OptionError(
                f"{self.name} takes all blocks together, got "
                f"blocks={str(self.blocks)!r}; leave it out."
            )

    def fit(self, curvature: GradientSource) -> State:
        """Look at the curvature rows: λ of each group, from squared lengths alone.

        Args:
            curvature: Gradients that the curvature is made of, most often the training
                rows.

        Returns:
            The state that `score` takes.
        """
        groups = self.groups_of(curvature.layout)
        self.require_room(by_group(curvature.layout.sizes, groups), len(curvature))
        scale = word(Normalize, self.normalize, "normalize")
        census = take_census(curvature, "curvature rows", scale)
        totals = by_group(census.totals, groups)
        # Of whole tensors: a projection keeps lengths, not the number of entries.
        counts = by_group(curvature.layout.parameters, groups)
        chosen: Mapping[str, float] = {}
        if self.damping == AUTO:
            chosen = judged_dampings(
                curvature, groups, totals, lengths=census.lengths, normalize=scale
            )
        elif self.damping is not None:
            chosen = dict.fromkeys(groups, float(self.damping))
        damping = {
            group: block_damping(
                totals[group], rows=len(curvature), size=counts[group], damping=each
            )
            for group, each in chosen.items()
        }
        notes = (said(chosen),) if self.damping == AUTO and chosen else ()
        return State(estimator=self, source=curvature, damping=damping, notes=notes)

    def score(
        self,
        state: State,
        candidates: GradientSource,
        queries: GradientSource,
        *,
        keep_blocks: bool = False,
    ) -> Scores:
        """Score every candidate for every query.

        Args:
            state: What `fit` gave.
            candidates: The training rows to be scored.
            queries: The rows whose loss is explained.
            keep_blocks: Keep the scores of every group too, `[G, Q, N]`.

        Returns:
            The scores, in the queries' dtype but no less than float32.
        """
        problem = self._problem(state, candidates, queries)
        found = score_groups(problem, self.prepare, keep_blocks=keep_blocks)
        return Scores(
            values=found.values,
            groups=tuple(problem.groups),
            residual=found.residual,
            scale=found.scale,
            per_block=found.per_block,
            provenance=self._provenance(
                [*state.notes, *found.notes, *self.notes(found.facts)]
            ),
        )

    def score_themselves(
        self, state: State, candidates: GradientSource, *, keep_blocks: bool = False
    ) -> Scores:
        """Score every candidate for its own loss: self-influence.

        Args:
            state: What `fit` gave.
            candidates: The training rows.
            keep_blocks: Keep the scores of every group too.

        Returns:
            Scores of one query, which stands for each candidate itself: `[1, N]`, all
            ≤ 0, the larger a row's self-influence the more negative; the residual is
            the worst over the rows.

        Raises:
            OptionError: If the method's self-influence says nothing, or the state was
                fitted by another estimator.
        """
        scale = word(Normalize, self.normalize, "normalize")
        flat = self.flat and (scale == Normalize.BLOCK or not self.divides)
        alike = self.unit_queries or scale == Normalize.RELATIF
        if alike or (flat and scale.scales_rows):
            raise OptionError(
                f"{self.name} with normalize={str(self.normalize)!r} gives every row "
                "the same self-influence; use another method, or normalize='none'."
            )
        problem = self._problem(state, candidates, candidates)
        found = own_scores(problem, self.prepare)
        values = found.per_block.sum(axis=0, keepdims=True)
        notes = [
            *state.notes,
            *silent_notes(found.silent, len(problem.groups)),
            *found.notes,
            *self.notes(found.facts),
        ]
        return Scores(
            values=values,
            groups=tuple(problem.groups),
            residual=found.residual,
            scale=found.scale,
            per_block=found.per_block[:, None] if keep_blocks else None,
            queries=pd.DataFrame({"index": ["itself"]}),
            provenance=self._provenance(notes),
        )

    def score_checkpoints(
        self, checkpoints: Sequence[Checkpoint], *, keep_blocks: bool = False
    ) -> Scores:
        """Score over several checkpoints: the weighted sum of each one's scores.

        Args:
            checkpoints: At least one, of the same rows and tensors.
            keep_blocks: Keep the scores of every group too.

        Returns:
            The sum; its residual is the worst of all checkpoints.
        """
        require_alike(checkpoints)
        return combined(
            (
                name_of(checkpoint, number),
                checkpoint.weight,
                self.score_at(checkpoint, keep_blocks=keep_blocks),
            )
            for number, checkpoint in enumerate(checkpoints)
        )

    def score_at(self, checkpoint: Checkpoint, *, keep_blocks: bool = False) -> Scores:
        """Score at one checkpoint, its weight left out.

        Args:
            checkpoint: Its gradients.
            keep_blocks: Keep the scores of every group too.

        Returns:
            What `fit` and `score` give.
        """
        rows = checkpoint.curvature
        state = self.fit(checkpoint.train if rows is None else rows)
        return self.score(
            state, checkpoint.train, checkpoint.queries, keep_blocks=keep_blocks
        )

    def precondition(self, state: State, queries: GradientSource) -> Vectors:
        """Make x of query gradients: a candidate's score is −x·g, up to normalisation.

        Args:
            state: What `fit` gave.
            queries: The rows to be preconditioned; all of them are held.

        Returns:
            Block -> `[Q, d]`, zero in groups without any gradient.
        """
        self._require_products()
        problem = self._problem(state, state.source, queries)
        return preconditioned(problem, self.prepare)

    def directions(
        self, state: State, candidates: GradientSource, queries: GradientSource
    ) -> Directions:
        """Find the vectors whose products with gradients are the scores, on both sides.

        Args:
            state: What `fit` gave.
            candidates: Training rows; few, since all of them are held.
            queries: Queries, likewise.

        Returns:
            What the scores of `score(state, candidates, queries)` are the products of.
        """
        self._require_products()
        asked = self._problem(state, state.source, queries)
        scored = self._problem(state, state.source, candidates)
        return find_directions(asked, scored, self.prepare)

    def _require_products(self) -> None:
        """Refuse to take scores apart that are no products of whole gradients."""
        if self.mixes_blocks:
            raise OptionError(
                f"{self.name} scores features made of whole gradients, which cannot be "
                "taken apart into tokens or parameters; use another method."
            )

    def _problem(
        self, state: State, candidates: GradientSource, queries: GradientSource
    ) -> Problem:
        """Put together what is to be scored, of one layout."""
        if state.estimator != self:
            raise OptionError(
                f"the state was fitted by {state.estimator}, not by {self}; fit again."
            )
        layout = state.source.layout
        candidates.layout.require_same(layout, "candidates", "curvature rows")
        queries.layout.require_same(layout, "queries", "curvature rows")
        return Problem(
            curvature=state.source,
            candidates=candidates,
            queries=queries,
            groups=self.groups_of(layout),
            damping=state.damping,
            normalize=word(Normalize, self.normalize, "normalize"),
            query_scale=Normalize.EXAMPLE if self.unit_queries else Normalize.NONE,
        )

    def _provenance(self, notes: Iterable[str]) -> Provenance:
        """Say how scores came about."""
        return Provenance(method=self.name, options=self.options(), notes=tuple(notes))

    @abstractmethod
    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Get ready to make x of any query gradients in one group: the method itself.

        Args:
            rows: Curvature rows of the group, scaled and converted; can be read again.
            damping: λ of the group; 0 for methods without one.

        Returns:
            Takes query gradients `[Q, d]` and gives x with what is known about it; may
            be called many times, so that what does not depend on queries is done here.
        """

    def notes(self, facts: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
        """Say in words how the work went; nothing by default.

        Args:
            facts: Group name -> what its solution reported.

        Returns:
            One sentence a finding.
        """
        del facts
        return ()

    def require_room(self, sizes: Mapping[str, int], count: int) -> None:
        """Refuse a problem that the method has no room for; none by default.

        Args:
            sizes: Group name -> number of its parameters, d.
            count: Number of curvature rows, N.
        """
        del sizes, count

    def groups_of(self, layout: Layout) -> dict[str, tuple[str, ...]]:
        """Gather a layout's blocks into this estimator's curvature groups."""
        return layout.group(word(Blocks, self.blocks, "blocks"))

    def options(self) -> dict[str, Any]:
        """Give every option in use with its value, as JSON values."""
        found = {option.name: getattr(self, option.name) for option in fields(self)}
        return {
            name: str(value) if isinstance(value, str) else value
            for name, value in found.items()
            if value is not None
        }
