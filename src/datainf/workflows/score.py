"""Score: influence of every stored training example on every stored query.

Works on gradient stores or any GradientSource; no model is needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from datainf.__about__ import __version__
from datainf.core import side_projection
from datainf.core.checkpoint import Checkpoint
from datainf.core.errors import OptionError, StoreError
from datainf.core.identity import identity_of
from datainf.core.options import Blocks, Fisher, Normalize, Output
from datainf.core.records import Scores
from datainf.core.share import share_of
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator
from datainf.estimators.table import build
from datainf.store.excluded import said
from datainf.workflows.agreement import require_comparable, with_agreement
from datainf.workflows.fisher import (
    is_sampled,
    require_curvature,
    require_output,
    require_own_labels,
)
from datainf.workflows.over_checkpoints import (
    all_sources,
    require_alone,
    scored_over,
)
from datainf.workflows.whole_scores import whole_scores


def score(  # noqa: PLR0913 - the options common to all methods, by name
    train: GradientSource | Sequence[Checkpoint],
    queries: GradientSource | None = None,
    *,
    method: str | Estimator = "datainf",
    curvature: GradientSource | None = None,
    damping: float | str | None = None,
    blocks: Blocks | str | None = None,
    normalize: Normalize | str | None = None,
    keep_blocks: bool = False,
    agreement: bool | None = None,
    **options: Any,
) -> Scores:
    """Score training examples for queries, from stored gradients.

    Args:
        train: Gradients of the training examples, N; or a list of checkpoints, each
            with its own queries, whose scores the method combines: most add them up by
            weight.
        queries: Gradients of the queries, Q; none beside checkpoints.
        method: A name of `datainf.methods()`, or an estimator.
        curvature: Gradients that the curvature is made of, at the examples' own labels
            or at labels drawn from the model; `train` when not given.
        damping: λ of a block over its mean squared gradient entry, or "auto"; None for
            the method's default (0.1, the paper's).
        blocks: Which tensors share a curvature block: `tensor`, `module`, `layer` or
            `all`.
        normalize: `none`; `example` or `block` to scale every training gradient, or
            each block of it, to unit length; `relatif`.
        keep_blocks: Keep the score of every block by itself too.
        agreement: Whether to compare the ranking of each query with that of `exact`;
            None for where `exact` is estimated to take no more than 10 seconds.
        **options: Options of the method itself, such as `steps` of `lissa`.

    Returns:
        Scores `[Q, N]` with the rows' index and text, where stored; negative =
            proponent. Over checkpoints, residual and scale are those of the worst.

    Raises:
        OptionError: If queries are missing.

    Examples:
        >>> import torch
        >>> from datainf.store.memory import InMemorySource
        >>> train = InMemorySource({"lora_A": torch.tensor([[1.0, 0.0], [-1.0, 0.0]])})
        >>> query = InMemorySource({"lora_A": torch.tensor([[1.0, 0.0]])})
        >>> score(train, query, method="dot").values.tolist()
        [[-1.0, 1.0]]
    """
    estimator = build(
        method, damping=damping, blocks=blocks, normalize=normalize, options=options
    )
    require_comparable(estimator, agreement)
    if isinstance(train, Sequence):
        beside = {"queries": queries, "curvature": curvature}
        require_alone(train, beside, agreement=agreement)
        return _over(train, estimator, keep_blocks=keep_blocks)
    if queries is None:
        raise OptionError("score needs queries; give their gradients beside train.")
    ground = fitting(train, queries, curvature, estimator)
    scores = whole_scores(
        estimator.score(estimator.fit(ground), train, queries, keep_blocks=keep_blocks),
        share_of(train, len(train)),
    )
    scores = with_agreement(
        scores,
        estimator,
        curvature=ground,
        train=train,
        queries=queries,
        asked=agreement,
    )
    return finished(
        scores.with_rows(queries=_rows(queries)),
        {"train": train, "queries": queries, "curvature": ground},
    )


def _over(
    checkpoints: Sequence[Checkpoint], estimator: Estimator, *, keep_blocks: bool
) -> Scores:
    """Score over checkpoints."""
    grounds = [
        fitting(one.train, one.queries, one.curvature, estimator) for one in checkpoints
    ]
    scores = scored_over(
        checkpoints, estimator, grounds=grounds, keep_blocks=keep_blocks
    )
    return finished(
        scores.with_rows(queries=_rows(checkpoints[0].queries)),
        {**all_sources(checkpoints), "curvature": grounds[0]},
    )


def fitting(
    train: GradientSource,
    queries: GradientSource,
    curvature: GradientSource | None,
    estimator: Estimator,
) -> GradientSource:
    """Refuse gradients that do not fit each other or the method.

    Args:
        train: The training gradients.
        queries: The query gradients.
        curvature: Other rows of the same model, or None.
        estimator: The method.

    Returns:
        The rows that the curvature is made of.
    """
    ground = ground_of(train, curvature, estimator)
    require_own_labels(queries, "the query gradients")
    require_same_model(train, queries, "the queries")
    return ground


def ground_of(
    train: GradientSource, curvature: GradientSource | None, estimator: Estimator
) -> GradientSource:
    """Give the rows that the curvature is made of.

    Args:
        train: The training gradients, at their own labels.
        curvature: Other rows of the same model, or None.
        estimator: The method; not each takes rows at drawn labels.

    Returns:
        The curvature, the training gradients where it is none.
    """
    require_own_labels(train, "the training gradients")
    require_output(train, estimator)
    ground = train if curvature is None else curvature
    if is_sampled(ground):
        require_curvature(estimator)
    require_same_model(train, ground, "the curvature")
    return ground


def finished(scores: Scores, sources: Mapping[str, GradientSource]) -> Scores:
    """Attach the candidates' rows, the version and what the sources are.

    Args:
        scores: As a method gave them.
        sources: `train`, `curvature` and others, by what they are for messages.

    Returns:
        The same values.
    """
    return replace(
        scores.with_rows(train=_rows(sources["train"])),
        provenance=replace(
            scores.provenance,
            options={**scores.provenance.options, **_fisher(sources["curvature"])},
            version=__version__,
            sources=_identities(sources),
            notes=(
                *scores.provenance.notes,
                *_projected(sources["train"]),
                *_left_out(sources),
            ),
        ),
    )


def require_same_model(train: GradientSource, other: GradientSource, what: str) -> None:
    """Refuse gradients of different models or tasks.

    Args:
        train: The training gradients.
        other: Gradients that are to meet them; those at drawn labels meet the loss's.
        what: What the others are, for the message ("the queries").

    Raises:
        StoreError: If both are known and differ; lists what differs.
    """
    mine, theirs = identity_of(train), identity_of(other)
    if mine is None or theirs is None:
        return
    if theirs.output["name"] == Output.SAMPLED:
        theirs = theirs.of_the_loss
    if mine.model == theirs.model:
        return
    found = "; ".join(mine.differences(theirs, data=False))
    raise StoreError(
        f"the training gradients and {what} do not belong together: {found}; collect "
        "both with the same model, adapter and task."
    )


def _fisher(curvature: GradientSource) -> dict[str, str]:
    """Say that labels were drawn; the rest stands in the curvature's identity."""
    return {"fisher": str(Fisher.SAMPLED)} if is_sampled(curvature) else {}


def _identities(sources: Mapping[str, GradientSource]) -> dict[str, Any]:
    found = {name: identity_of(source) for name, source in sources.items()}
    return {name: known.to_dict() for name, known in found.items() if known is not None}


def _projected(source: GradientSource) -> Iterator[str]:
    """Say that the gradients are projections."""
    known = identity_of(source)
    if known is not None and known.projection is not None:
        yield (
            f"gradients were projected when they were collected "
            f"({side_projection.said(known.projection)}): products of them are those "
            "of whole gradients on average, not exactly."
        )


def _left_out(sources: Mapping[str, GradientSource]) -> Iterator[str]:
    """Say which rows the sources leave out, each source once."""
    seen: list[GradientSource] = []
    for name, source in sources.items():
        excluded = getattr(source, "excluded", [])
        if excluded and not any(source is one for one in seen):
            seen.append(source)
            yield f"{name}: {said(excluded)} left out."


def _rows(source: GradientSource) -> pd.DataFrame | None:
    """Take what identifies and describes the rows; hashes stay in the store."""
    table = getattr(source, "examples", None)
    if not isinstance(table, pd.DataFrame):
        return None
    return table[[name for name in ("index", "text") if name in table]].copy()
