"""`trak`: a linear model of the margin in projected gradient features.

    I(z_k) = −(1/M Σ_m φ_m(v)ᵀ (H_m + λ_m I)⁻¹ φ_m(g_k)) · (1/M Σ_m (1 − p_{m,k}))

(Park et al., ICML 2023, arXiv:2303.14186) over M checkpoints, or models: g_k and v
gradients of the *margin* f = ln p/(1 − p) of the example's right output, p its
probability, φ a random projection to k numbers over all blocks, H = (1/N) Σᵢ φ(gᵢ)
φ(gᵢ)ᵀ. The gradient of the loss is −(1 − p) times that of the margin. Scores tell of
the query's margin: a proponent, negative, raises it.

Against the published method: H is a mean where TRAK has the sum ΦᵀΦ, so its scores are
1/N of these; λ is damping × the mean squared entry of the features, as for every other
method here, where TRAK's default is 0 (which needs k < N); and its last step, a soft
threshold, is left out. Checkpoints count alike; their weights are not used. Solved on
the smaller side in float64: exact for its formula.

Costs O(MNDk) for the projection, O(M(Nk·min(N, k) + min(N, k)³)) for the solution,
O(MNQk); memory O(Nk). N examples, Q queries, D parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datainf.core.checkpoint import Checkpoint, name_of, require_alike
from datainf.core.errors import DataError, OptionError
from datainf.core.options import Blocks, Normalize
from datainf.core.records import Scores
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator, State
from datainf.estimators.checks import require_count
from datainf.estimators.combine import combined, times_columns
from datainf.estimators.direct import direct_solver
from datainf.estimators.problem import Solver
from datainf.estimators.projected import (
    ProjectedSource,
    projected,
    projection_notes,
)
from datainf.estimators.stream import GroupRows


@dataclass(frozen=True, kw_only=True)
class TRAK(Estimator):
    """The damped inverse of projected margin gradients, weighed by 1 − p.

    Attributes:
        projection: Numbers of a projected gradient, k; one that is no longer stays as
            it is.
        seed: Chooses the projection.
    """

    blocks: Blocks | str | None = Blocks.ALL
    projection: int = 4096
    seed: int = 0

    name: ClassVar[str] = "trak"
    compared: ClassVar[bool] = False
    mixes_blocks: ClassVar[bool] = True
    output: ClassVar[str] = "margin"

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            OptionError: If one does not fit.
        """
        super().__post_init__()
        require_count(self.name, "projection", self.projection)
        require_count(self.name, "seed", self.seed, least=0)
        if self.normalize == Normalize.RELATIF:
            raise OptionError(
                "trak weighs training rows by 1 − p already, got normalize='relatif'; "
                "use normalize='none' or 'example'."
            )

    def fit(self, curvature: GradientSource) -> State:
        """Project the curvature rows, and find λ.

        Args:
            curvature: Margin gradients, most often the training rows.

        Returns:
            The state that `score` takes; it holds the projected rows.
        """
        return super().fit(projected(curvature, self.projection, self.seed))

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
            candidates: The training rows, with their margins.
            queries: The rows whose margin is explained.
            keep_blocks: Keep the scores of the one group too.

        Returns:
            The scores.
        """
        found = self._unweighed(state, candidates, queries, keep_blocks=keep_blocks)
        return times_columns(found, doubts(candidates))

    def score_themselves(
        self, state: State, candidates: GradientSource, *, keep_blocks: bool = False
    ) -> Scores:
        """Score every candidate for its own margin.

        Args:
            state: What `fit` gave.
            candidates: The training rows, with their margins.
            keep_blocks: Keep the scores of the one group too.

        Returns:
            Self-influence as scores `[1, N]`.
        """
        features = self._features(candidates, state)
        found = super().score_themselves(state, features, keep_blocks=keep_blocks)
        return times_columns(found, doubts(candidates))

    def score_checkpoints(
        self, checkpoints: Sequence[Checkpoint], *, keep_blocks: bool = False
    ) -> Scores:
        """Score over several checkpoints, which count alike.

        Args:
            checkpoints: At least one, of the same rows and tensors.
            keep_blocks: Keep the scores of the one group too.

        Returns:
            The mean of the unweighed scores times the mean of 1 − p.
        """
        require_alike(checkpoints)
        found = combined(
            (
                name_of(one, number),
                1 / len(checkpoints),
                self._unweighed(
                    self.fit(one.train if one.curvature is None else one.curvature),
                    one.train,
                    one.queries,
                    keep_blocks=keep_blocks,
                ),
            )
            for number, one in enumerate(checkpoints)
        )
        doubt = np.mean([doubts(one.train) for one in checkpoints], axis=0)
        return times_columns(found, doubt)

    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Factor the smaller side of the features.

        Args:
            rows: Projected curvature rows.
            damping: λ.

        Returns:
            Solves for any projected queries.
        """
        return direct_solver(rows, damping)

    def _unweighed(
        self,
        state: State,
        candidates: GradientSource,
        queries: GradientSource,
        *,
        keep_blocks: bool,
    ) -> Scores:
        """Score without 1 − p, from sources that are not projected yet."""
        asked = projected(queries, self.projection, self.seed)
        scored = self._features(candidates, state)
        found = super().score(state, scored, asked, keep_blocks=keep_blocks)
        made = found.provenance
        notes = (*made.notes, *projection_notes(queries.layout, self.projection))
        return replace(found, provenance=replace(made, notes=notes))

    def _features(self, candidates: GradientSource, state: State) -> GradientSource:
        """Project the candidates, unless they are the curvature rows."""
        known = state.source
        if isinstance(known, ProjectedSource) and known.of is candidates:
            return known
        return projected(candidates, self.projection, self.seed)


def doubts(source: GradientSource) -> NDArray[np.float64]:
    """Tell how unsure the model is of each row's right output.

    Args:
        source: Gradients of margins, with the margins.

    Returns:
        1 − p, `[N]`.

    Raises:
        DataError: If the source does not have margins.
    """
    margins = getattr(source, "losses", None)
    if margins is None:
        raise DataError(
            "trak weighs each training row by 1 − p, and these gradients come without "
            "margins; collect them with output='margin', or give "
            "InMemorySource(..., losses=margins)."
        )
    # 1/(1 + eᶠ), written so that neither end overflows
    return np.exp(-np.logaddexp(0.0, np.asarray(margins, dtype=np.float64)))
