"""What a report says in sentences: what was asked, how well it was solved."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from datainf.core.options import Normalize
from datainf.core.records import Scores
from datainf.reports.visible import shown, visible

# What a residual below this limit is called.
_VERDICTS = (
    (0.01, "practically exactly"),
    (0.1, "closely"),
    (0.5, "roughly"),
    (0.999, "only in part"),
    (math.inf, "not at all"),
)


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun.

    Args:
        number: How many.
        one: The noun for one.
        many: The noun otherwise; `one` + "s" when not given.

    Returns:
        Such as `1 query` or `4,500 queries`.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def question(scores: Scores) -> str:
    """Say in one sentence what was asked, of what, and by which method."""
    queries, candidates = scores.values.shape
    asked = "the query" if queries == 1 else f"each of {queries:,} queries"
    options = scores.provenance.options
    how = [f"damping {shown(options['damping'])}"] if "damping" in options else []
    if options.get("normalize") == Normalize.EXAMPLE:
        how.append("every training gradient scaled to unit length")
    if options.get("normalize") == Normalize.BLOCK:
        how.append("every block of a training gradient scaled to unit length")
    settings = f" ({', '.join(how)})" if how else ""
    return (
        f"Which of {counted(candidates, 'training example')} taught the model what it "
        f"says to {asked}, and which pulled the other way? Estimated by "
        f"{visible(scores.provenance.method)}{settings}."
    )


def residual_sentences(scores: Scores) -> Iterator[str]:
    """Say how well the method solved its own system, over queries and groups.

    Args:
        scores: Their `residual` is described.

    Yields:
        Sentences.
    """
    solved = np.isfinite(scores.residual)
    if not solved.any():
        yield (
            f"{visible(scores.provenance.method)} solves no linear system, so there is "
            "no residual to report."
        )
        return
    values = scores.residual[solved]
    worst = np.where(solved, scores.residual, -1.0)
    q, g = np.unravel_index(int(worst.argmax()), worst.shape)
    yield (
        f"The system behind the scores was solved {verdict(float(np.median(values)))} "
        f"for the median query and curvature group: residual {np.median(values):.2g}; "
        f"the worst is {values.max():.2g} ({verdict(float(values.max()))}), at query "
        f"{shown(scores.queries['index'].iloc[int(q)])} in "
        f"{visible(scores.groups[int(g)])}. 0 is an exact solution, 1 none at all."
    )
    if not solved.all():
        yield (
            f"In {counted(int((~solved).any(axis=0).sum()), 'curvature group')} no "
            "system was solved for some or all queries."
        )
    yield (
        "A small residual says that the method's own equation was solved, not that the "
        "scores predict what retraining would show."
    )


def agreement_sentence(scores: Scores) -> str:
    """Say how alike `exact` ranks, over the queries; nothing where it was not asked.

    Args:
        scores: Their `agreement` is described.

    Returns:
        One sentence, or none for `exact` itself.
    """
    known = np.isfinite(scores.agreement)
    if not known.any() or scores.provenance.method == "exact":
        return ""
    values = scores.agreement[known]
    worst = int(np.where(known, scores.agreement, np.inf).argmin())
    lowest = (
        f", the lowest {values.min():.2f} (query "
        f"{shown(scores.queries['index'].iloc[worst])})"
        if len(values) > 1
        else ""
    )
    which = "the median query" if len(values) > 1 else "the query"
    return (
        "Agreement with exact (Spearman's rank correlation of the training examples): "
        f"{np.median(values):.2f} for {which}{lowest}. It is about the order of all "
        "rows, most of them near 0, and not about the few at its ends alone."
    )


def query_residual(residual: Float[np.ndarray, " G"]) -> str:
    """Say the same of one query, shortly; nothing where no system was solved."""
    values = residual[np.isfinite(residual)]
    if not len(values):
        return ""
    return (
        f"System solved {verdict(float(np.median(values)))}: residual "
        f"{np.median(values):.2g} in the median curvature group, {values.max():.2g} in "
        "the worst."
    )


def verdict(residual: float) -> str:
    """Put a residual into words."""
    return next(words for limit, words in _VERDICTS if residual < limit)
