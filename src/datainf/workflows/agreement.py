"""Agreement: how alike a method and `exact` rank the training examples of each query.

Spearman's rank correlation with the scores of Eq. 2 on the same rows, damping, blocks
and normalisation, one number a query; NaN where either ranks nothing (all scores
equal). It says how well the named system was approximated in what matters, the ranking;
not that Eq. 2 itself predicts retraining. Costs what `exact` costs.
"""

from dataclasses import replace

import numpy as np

from datainf.core.errors import OptionError
from datainf.core.records import Scores
from datainf.core.share import share_of
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator
from datainf.estimators.cost import Shape, available_bytes, cost
from datainf.estimators.exact import Exact
from datainf.evaluation.ranking import Ranked, spearman
from datainf.workflows.whole_scores import whole_scores

# Seconds that `exact` may be estimated to take where nobody asked for agreement.
UNASKED = 10.0


def require_comparable(estimator: Estimator, asked: bool | None) -> None:
    """Refuse, before any work, a comparison that means nothing.

    Args:
        estimator: The method.
        asked: Whether agreement is asked for.

    Raises:
        OptionError: If it is, and the method does not approximate Eq. 2.
    """
    if asked and not estimator.compared:
        raise OptionError(
            f"{estimator.name} does not approximate the system that exact solves; "
            "leave agreement out."
        )


def with_agreement(
    scores: Scores,
    estimator: Estimator,
    *,
    curvature: GradientSource,
    train: GradientSource,
    queries: GradientSource,
    asked: bool | None,
) -> Scores:
    """Compare scores with those of `exact`, if that is asked for or cheap.

    Args:
        scores: What the method gave; of all candidates, in the process that leads.
        estimator: The method.
        curvature: The curvature's rows.
        train: The rows that were scored.
        queries: The rows whose loss is explained.
        asked: True to compare in any case, False never, None where `exact` is estimated
            to take no more than 10 seconds and half of the free memory.

    Returns:
        The scores with their agreement, or with a note that says why there is none.
    """
    if asked is False or not estimator.compared:
        return scores
    if scores.provenance.method == Exact.name:
        return replace(scores, agreement=np.ones(len(queries)))
    damping = Exact.damping if estimator.damping is None else estimator.damping
    exact = Exact(
        damping=damping, blocks=estimator.blocks, normalize=estimator.normalize
    )
    share = share_of(train, len(train))
    if asked is None:
        found = exact_cost(exact, curvature, train, queries)
        # Each process knows its own machine; all must decide alike.
        if not share.least(float(found is None)):
            note = (
                "agreement with exact was not computed: "
                f"{found or 'another process has no room'}; agreement=True asks."
            )
            made = scores.provenance
            return replace(scores, provenance=replace(made, notes=(*made.notes, note)))
    right = whole_scores(exact.score(exact.fit(curvature), train, queries), share)
    if not share.leads:
        return scores
    return replace(
        scores, agreement=spearman(Ranked(scores.values), Ranked(right.values))
    )


def exact_cost(
    exact: Exact,
    curvature: GradientSource,
    train: GradientSource,
    queries: GradientSource,
) -> str | None:
    """Say what `exact` would take where that is too much to do unasked.

    Args:
        exact: The estimator.
        curvature: The curvature's rows.
        train: The rows that would be scored.
        queries: The rows whose loss would be explained.

    Returns:
        In words; None where it is little.
    """
    layout = curvature.layout
    sizes = {
        group: sum(layout.sizes[name] for name in members)
        for group, members in exact.groups_of(layout).items()
    }
    try:
        exact.require_room(sizes, len(curvature))
    except OptionError:
        return f"its matrices exceed {exact.max_bytes / 2**30:.3g} GiB"
    found = cost(
        Exact.name,
        Shape(
            len(curvature),
            len(train),
            len(queries),
            tuple(sizes.values()),
            shared=train is curvature,
            own=exact.normalize == "relatif",
        ),
    )
    if found.seconds <= UNASKED and found.bytes <= available_bytes() / 2:
        return None
    return f"it would take {found}"
