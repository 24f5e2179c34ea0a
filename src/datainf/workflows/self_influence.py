"""Self-influence: how much every training example weighs on its own loss."""

from typing import Any

from datainf.core.options import Blocks, Normalize
from datainf.core.records import Scores
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator
from datainf.estimators.table import build
from datainf.workflows.score import finished, ground_of


def self_influence(
    train: GradientSource,
    *,
    method: str | Estimator = "datainf",
    curvature: GradientSource | None = None,
    damping: float | str | None = None,
    blocks: Blocks | str | None = None,
    normalize: Normalize | str | None = None,
    keep_blocks: bool = False,
    **options: Any,
) -> Scores:
    """Score every training example for its own loss.

    −g_kᵀ P g_k with the method's inverse P: no queries are needed. Large where an
    example is unlike the others, so wrong labels stand out (Koh and Liang, ICML 2017,
    arXiv:1703.04730), and so do rare but right ones. Costs as much as N queries.

    Args:
        train: Gradients of the training examples, N.
        method: A name of `datainf.methods()`, or an estimator.
        curvature: Gradients that the curvature is made of; `train` when not given.
        damping: As for `score`.
        blocks: As for `score`.
        normalize: As for `score`; `relatif` would give every example the same.
        keep_blocks: As for `score`.
        **options: Options of the method itself.

    Returns:
        Scores `[1, N]`, all ≤ 0; the more negative, the larger the self-influence.

    Examples:
        >>> import torch
        >>> from datainf.store.memory import InMemorySource
        >>> train = InMemorySource({"lora_A": torch.tensor([[1.0, 0.0], [3.0, 4.0]])})
        >>> self_influence(train, method="dot").values.tolist()
        [[-1.0, -25.0]]
    """
    estimator = build(
        method, damping=damping, blocks=blocks, normalize=normalize, options=options
    )
    ground = ground_of(train, curvature, estimator)
    scores = estimator.score_themselves(
        estimator.fit(ground), train, keep_blocks=keep_blocks
    )
    return finished(scores, {"train": train, "curvature": ground})
