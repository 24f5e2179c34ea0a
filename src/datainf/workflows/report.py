"""Report: scores as one HTML file that needs nothing else."""

from pathlib import Path

from datainf.core.records import Scores


def report(
    scores: Scores, path: str | Path, *, k: int = 10, title: str | None = None
) -> Path:
    """Write a report: for every query its strongest proponents and opponents.

    Args:
        scores: The scores; with text in their tables, the report shows it.
        path: The HTML file; its folder is made if need be.
        k: How many training examples at either end a query.
        title: Heading; the method and the sizes when not given.

    Returns:
        The file.

    Example:
        >>> report(scores, "report.html")  # doctest: +SKIP
    """
    from datainf.reports.render import render_report

    q, n = scores.values.shape
    heading = title or f"{scores.provenance.method}: {n} examples, {q} queries"
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    render_report(scores, file, k=k, title=heading)
    return file
