"""The head of a report: whose scores these are, and a verdict in a sentence or two.

concentration   the smallest number of rows that carry half of all proponents'
                scores, for the median query
certificate     agreement with `exact` where it was computed, otherwise the residual
"""

from collections.abc import Iterator, Mapping

import numpy as np

from datainf.core.records import Scores
from datainf.reports.sections import Setting
from datainf.reports.visible import shown, visible
from datainf.reports.wording import counted, verdict

# Up to which share of the training examples what is said of half the influence.
_CARRIED = (
    (0.02, "a few rows carry it"),
    (0.2, "a small part of the data carries it"),
    (1.0, "it is spread over the data, and single rows explain little"),
)
# From which rank correlation on what is said of the agreement.
_AGREED = (
    (0.95, "ranks the examples as the exact solution does"),
    (0.7, "ranks the examples much as the exact solution does"),
    (-1.0, "ranks the examples unlike the exact solution of its equation"),
)


def glance(scores: Scores) -> tuple[Setting, ...]:
    """Say whose scores they are, how they were made and how well.

    Args:
        scores: The scores.

    Returns:
        Short lines: adapter and base where they are known, method, certificate, sizes.
    """
    q, n = scores.values.shape
    return (
        *_adapter(scores),
        Setting("method", visible(scores.provenance.method)),
        Setting("certificate", certificate(scores)),
        Setting("asked", f"{counted(q, 'query', 'queries')} × {n:,} training examples"),
    )


def certificate(scores: Scores) -> str:
    """Say in a few words how well the scores' own system was solved."""
    agreed = scores.agreement[np.isfinite(scores.agreement)]
    solved = scores.residual[np.isfinite(scores.residual)]
    parts = []
    if solved.size:
        median = float(np.median(solved))
        parts.append(f"solved {verdict(median)}, residual {median:.2g}")
    if agreed.size and scores.provenance.method != "exact":
        parts.append(f"agreement with exact {signed(float(np.median(agreed)))}")
    return "; ".join(parts) or "none: the method solves no system"


def verdicts(scores: Scores) -> Iterator[str]:
    """Say what the scores say, and how far to believe them.

    Args:
        scores: The scores.

    Yields:
        Sentences.
    """
    counts = half_of(scores)
    if counts.size:
        n = scores.values.shape[1]
        middle = int(np.median(counts))
        how = next(words for limit, words in _CARRIED if middle <= max(1, limit * n))
        which = "the query" if len(scores.values) == 1 else "the median query"
        yield (
            f"Half of the proponents' influence on {which} comes from "
            f"{middle:,} of {counted(n, 'training example')}: {how}."
        )
    yield f"{visible(scores.provenance.method)} {_believed(scores)}."
    yield "What retraining would show was not tested here; `datainf evaluate` does."


def signed(value: float) -> str:
    """Write a correlation with a true minus sign."""
    return f"{value:.2f}".replace("-", "−")


def half_of(scores: Scores) -> np.ndarray:
    """Count the rows that carry half of each query's proponents' scores.

    Args:
        scores: The scores.

    Returns:
        A count for each query that has proponents.
    """
    counts = []
    for row in scores.values.astype(np.float64):
        sizes = -np.sort(row[row < 0])
        if sizes.size:
            total = np.cumsum(sizes / sizes[0])
            counts.append(int(np.searchsorted(total, total[-1] / 2)) + 1)
    return np.array(counts)


def _adapter(scores: Scores) -> Iterator[Setting]:
    """Name the adapter and its base, where the gradients' source tells."""
    source = scores.provenance.sources.get("train")
    if not isinstance(source, Mapping):
        return
    about = source.get("about")
    about = about if isinstance(about, Mapping) else {}
    for name, known, mark in (
        ("adapter", about.get("adapter"), source.get("adapter")),
        ("base model", about.get("model"), source.get("base")),
    ):
        # Of a path, its last part; the whole of it stands with the settings.
        short = shown(known).rstrip("/").rpartition("/")[2] if known else ""
        digest = f"#{str(mark)[:8]}" if isinstance(mark, str) else ""
        if short or digest:
            yield Setting(name, visible(f"{short} {digest}".strip()))


def _believed(scores: Scores) -> str:
    """Say how far the scores are the answer to the method's own question."""
    agreed = scores.agreement[np.isfinite(scores.agreement)]
    if scores.provenance.method != "exact" and agreed.size:
        median = float(np.median(agreed))
        how = next(words for limit, words in _AGREED if median >= limit)
        return f"{how} (rank correlation {signed(median)})"
    solved = scores.residual[np.isfinite(scores.residual)]
    if not solved.size:
        return "solves no equation, so that nothing certifies these scores"
    median = float(np.median(solved))
    care = "" if median < 0.5 else ": read the order with care"
    return f"solved its own equation {verdict(median)} (residual {median:.2g}){care}"
