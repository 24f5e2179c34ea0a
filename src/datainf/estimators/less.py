"""`less`: the cosine between a query's gradient and the Adam step on an example.

    I(z_k) = −Σ_m η_m cos(φ(v_m), φ(Γ_m(g_{m,k})))

over checkpoints m (Xia et al., ICML 2024, arXiv:2402.04333: "Inf_Adam"), η_m the mean
learning rate up to the checkpoint, Γ the step that Adam would take on the example alone
(`AdamSource`), φ a random projection to k numbers, cosines over all blocks. Γ follows
the paper's formula, which is Adam's: moments with bias correction, ε outside the root.
The code published with the paper leaves the correction out and takes √(v + ε); the
scores differ by that. In [−Σ η_m, Σ η_m].

Costs O(MNDk) for the projection, then O(MNQk); memory O(Nk). M checkpoints, N examples,
Q queries, D parameters.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from datainf.core.checkpoint import Checkpoint
from datainf.core.errors import OptionError
from datainf.core.options import Blocks, Normalize
from datainf.core.records import Scores
from datainf.core.source import GradientSource
from datainf.estimators.adam_source import AdamSource
from datainf.estimators.base import Estimator, State
from datainf.estimators.checks import require_count
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.projected import projected, projection_notes
from datainf.estimators.stream import GroupRows

_NEEDS = (
    "less needs Adam's moments at each checkpoint, and {}; train with checkpoints that "
    "keep the optimizer (save_strategy: epoch) and give "
    "score([Checkpoint(..., moments=...), ...])."
)


@dataclass(frozen=True, kw_only=True)
class LESS(Estimator):
    """Minus the cosine with the Adam step, in the projection.

    Attributes:
        projection: Numbers of a projected gradient, k; one that is no longer stays as
            it is.
        seed: Chooses the projection.
    """

    damping: float | str | None = None
    blocks: Blocks | str | None = Blocks.ALL
    normalize: Normalize | str | None = Normalize.EXAMPLE
    projection: int = 8192
    seed: int = 0

    name: ClassVar[str] = "less"
    divides: ClassVar[bool] = False
    compared: ClassVar[bool] = False
    unit_queries: ClassVar[bool] = True
    mixes_blocks: ClassVar[bool] = True
    follows_training: ClassVar[bool] = True
    needs_moments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            OptionError: If one does not fit, `normalize="none"` among them.
        """
        super().__post_init__()
        require_count(self.name, "projection", self.projection)
        require_count(self.name, "seed", self.seed, least=0)
        if self.normalize != Normalize.EXAMPLE:
            raise OptionError(
                f"less scales every Adam step to unit length, got "
                f"normalize={str(self.normalize)!r}; leave it out."
            )

    def score(
        self,
        state: State,  # noqa: ARG002
        candidates: GradientSource,  # noqa: ARG002
        queries: GradientSource,  # noqa: ARG002
        *,
        keep_blocks: bool = False,  # noqa: ARG002
    ) -> Scores:
        """Refuse to score without moments.

        Args:
            state: What `fit` gave.
            candidates: The training rows.
            queries: The queries.
            keep_blocks: Keep the scores of every group too.

        Raises:
            OptionError: Always.
        """
        raise OptionError(_NEEDS.format("gradients alone have none"))

    def score_at(self, checkpoint: Checkpoint, *, keep_blocks: bool = False) -> Scores:
        """Score at one checkpoint, its weight left out.

        Args:
            checkpoint: Gradients and moments.
            keep_blocks: Keep the scores of every group too.

        Returns:
            Minus the cosines.

        Raises:
            OptionError: If the checkpoint has no moments.
        """
        if checkpoint.moments is None:
            said = f"{checkpoint.name or 'a checkpoint'} has none"
            raise OptionError(_NEEDS.format(said))
        steps = AdamSource(checkpoint.train, checkpoint.moments)
        layout = steps.layout
        checkpoint.queries.layout.require_same(layout, "queries", "training rows")
        train = projected(steps, self.projection, self.seed)
        asked = projected(checkpoint.queries, self.projection, self.seed)
        found = super().score(self.fit(train), train, asked, keep_blocks=keep_blocks)
        made = found.provenance
        notes = (*made.notes, *projection_notes(layout, self.projection))
        return replace(found, provenance=replace(made, notes=notes))

    def prepare(
        self,
        rows: GroupRows,  # noqa: ARG002 - there is no curvature in it
        damping: float,  # noqa: ARG002
    ) -> Solver:
        """Take queries as they are: lengths are divided out where rows are read."""
        return Solution
