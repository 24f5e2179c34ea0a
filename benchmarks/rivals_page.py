"""The table of `bench_rivals`: what the runs of each line gave, side by side."""

import ast
import io
import statistics
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.rival import spearman
from benchmarks.rivals import OURS, Line
from benchmarks.watched import Watched

SHOWN = 10
MIB = 2**20


@dataclass
class Found:
    """What the runs of a line gave."""

    line: Line
    runs: list[Watched] = field(default_factory=list)
    starts: list[Watched] = field(default_factory=list)
    scores: NDArray[np.floating] | None = None
    error: str | None = None


def table(found: Sequence[Found]) -> list[str]:
    """Lay out the table, in Markdown.

    Args:
        found: The lines with their runs.

    Returns:
        Its lines of text.
    """
    ours = {one.line.method: one for one in found if one.line in OURS.values()}
    rows = [
        "| script | seconds | runs | start-up, s | RssAnon, MiB | VmHWM, MiB "
        "| lines | Spearman with ours, median | least | of our top 10 |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in found:
        head = f"| {one.line.name} | "
        if one.error is not None:
            rows.append(f"{head}failed: {one.error} |" + " |" * 8)
            continue
        times = [seen.seconds for seen in one.runs]
        reference = ours[one.line.method]
        against = "– | – | –"
        if one is not reference and reference.error is None:
            assert reference.scores is not None
            assert one.scores is not None
            median, least, common = agreement(reference.scores, one.scores)
            against = f"{median:.4f} | {least:.4f} | {common:.1f}"
        rows.append(
            f"{head}{statistics.median(times):.1f} ({min(times):.1f}–{max(times):.1f})"
            f" | {len(times)} | {statistics.median(s.seconds for s in one.starts):.1f}"
            f" | {max(s.anonymous for s in one.runs) / MIB:.0f}"
            f" | {max(s.resident for s in one.runs) / MIB:.0f}"
            f" | {lines_of_code(one.line.path.read_text(encoding='utf-8'))}"
            f" | {against} |"
        )
    return rows


def agreement(
    ours: NDArray[np.floating], theirs: NDArray[np.floating]
) -> tuple[float, float, float]:
    """Say how alike two tables of scores rank, both with negative proponents.

    Args:
        ours: `[Q, N]`.
        theirs: `[Q, N]`.

    Returns:
        Spearman a query, median and least, and the mean number of common rows among
        the top 10.
    """
    each = spearman(ours, theirs)
    tops = [np.argsort(part, axis=1)[:, :SHOWN] for part in (ours, theirs)]
    common = [len(set(a) & set(b)) for a, b in zip(*tops, strict=True)]
    return float(np.median(each)), float(each.min()), statistics.fmean(common)


def lines_of_code(source: str) -> int:
    """Count lines that are neither blank, comment nor docstring.

    Args:
        source: Of a script.

    Returns:
        How many.
    """
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE}
    silent |= {tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    kept: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent:
            kept.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef
        ) and ast.get_docstring(node):
            first = node.body[0]
            assert first.end_lineno is not None
            kept -= set(range(first.lineno, first.end_lineno + 1))
    return len(kept)
