"""What leaving out few showed: single examples, and the strongest proponents."""

from collections.abc import Iterable, Mapping
from typing import Any

from datainf.experiments.counterfactual import NAME, Cell
from datainf.experiments.tables import DASH, listed, markdown_table, share, with_ends

FIGURE = f"{NAME}-few"
"""The figure of this part."""
Judgements = Iterable[tuple[Cell, Mapping[str, Any]]]
"""Cells that are judged, with their results."""


def singles(found: Judgements, shown: Mapping[str, str]) -> list[str]:
    """Write what leaving single examples out showed.

    Args:
        found: What is judged.
        shown: Names of scores -> what they are called.

    Returns:
        Paragraphs; none where no single example was left out.
    """
    results = _of_kind(found, "loo")
    if not results:
        return []
    best = {
        cell.judged.name: max(one["loo"] for one in result["scores"].values())
        for cell, result in results
    }
    lines = []
    for name, said in shown.items():
        known = {
            cell.judged.name: result["scores"][name]
            for cell, result in results
            if name in result["scores"]
        }
        if known:
            behind = max(best[data] - one["loo"] for data, one in known.items())
            whole = len(known) == len(results)
            cells = [
                with_ends(known[data], "loo") if data in known else DASH
                for data in best
            ]
            lines.append([said, *cells, share(behind) if whole else DASH])
    lines += [
        ["best of all options", *(share(value) for value in best.values()), ""],
        ["ceiling", *(ceiling(result) for _, result in results), ""],
    ]
    counts = [str(len(result["examples"])) for _, result in results]
    many = counts[0] if len({*counts}) == 1 else listed(counts)
    return [
        "## One example left out",
        f"{many} single examples of each, each trained without once, same batches and "
        "steps: Spearman over the examples between what the scores foretell and the "
        "query's loss, mean over queries "
        "([every option](#single-examples-every-option)).",
        markdown_table(["scores", *best, "most behind the best"], lines),
    ]


def drawn(found: Judgements) -> list[str]:
    """Show the figure of this part.

    Args:
        found: What is judged.

    Returns:
        A paragraph; none where there is nothing to draw.
    """
    if all(cell.kind == "lds" for cell, _ in found):
        return []
    return [f"![Single examples left out, and proponents dropped]({FIGURE}.svg)"]


def every_single(found: Judgements) -> list[str]:
    """Write what leaving single examples out showed of every set of scores.

    Args:
        found: What is judged.

    Returns:
        Paragraphs; none where no single example was left out.
    """
    results = _of_kind(found, "loo")
    if not results:
        return []
    names = dict.fromkeys(name for _, result in results for name in result["scores"])
    lines = [
        [
            f"`{name}`",
            *(
                with_ends(scores[name], "loo") if name in scores else DASH
                for scores in (result["scores"] for _, result in results)
            ),
        ]
        for name in names
    ]
    heads = [cell.judged.name for cell, _ in results]
    return [
        "### Single examples, every option",
        markdown_table(["scores", *heads], lines),
    ]


def pruned(found: Judgements) -> list[str]:
    """Write what dropping the strongest proponents did.

    Args:
        found: What is judged.

    Returns:
        Paragraphs; none where none were dropped.
    """
    results = _of_kind(found, "prune")
    if not results:
        return []
    heads = [
        f"{cell.judged.name}, {result['scores'][0]['dropped']} dropped"
        for cell, result in results
    ]
    by_name = [{row["scores"]: row for row in r["scores"]} for _, r in results]
    names = dict.fromkeys(name for rows in by_name for name in rows)
    lines = [
        [
            f"`{name}`",
            *(_effect(rows[name]) if name in rows else DASH for rows in by_name),
        ]
        for name in names
    ]
    sets = results[0][1]["scores"][0]["random_sets"]
    return [
        "## The strongest proponents dropped",
        "Rise of the queries' mean loss when the strongest proponents of the mean "
        f"query are left out, less the mean rise of {sets} random sets of that size "
        "(95 %, bootstrap over queries and random sets). One training a method.",
        markdown_table(["scores", *heads], lines),
    ]


def ceiling(result: Mapping[str, Any]) -> str:
    """Write what a perfect predictor would score.

    Args:
        result: Of a cell.

    Returns:
        The share; a dash where there were no second seeds.
    """
    found = result["ceiling"]
    return DASH if found is None else share(found["perfect_predictor"])


def _of_kind(found: Judgements, kind: str) -> list[tuple[Cell, Mapping[str, Any]]]:
    return [pair for pair in found if pair[0].kind == kind]


def _effect(row: Mapping[str, Any]) -> str:
    said = f"{row['effect']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
    return said.replace("-", "−")
