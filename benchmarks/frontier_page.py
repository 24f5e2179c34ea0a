"""The page of `bench_frontier`: every number and sentence follows from its records."""

from collections.abc import Sequence
from typing import Any

from datainf.experiments.records import Key, Records
from datainf.experiments.tables import markdown_table, share

BAR = 0.98
NAMES = {
    "sst2": "MiniLM, SST-2 with flipped labels",
    "demo-lm": "The demo's language model, with planted wrong answers",
}
Found = dict[tuple[str, str], dict[str, dict[str, float]]]
"""(project, dtype) -> method -> measures, over the draws."""

_INTRO = """# Small stores: size against fidelity

`project=K` projects both sides of each tensor's gradient to at most K numbers,
`dtype="int8"` keeps a byte a number ([how](../store.md#small-stores)). Two adapters of
rank 8 on query and value. Each cell is **Spearman's ρ with the same method's scores on
the whole fp32 gradients**, over the training rows: the mean over the queries, and the
worst query in brackets; with a projection the mean and the worst over two draws of it.
*Times smaller* counts all of a row: numbers, scales, squared norms, loss and position.

The second table of each adapter is the AUC of finding the wrong rows by the mean of the
queries' gradients: its first line for whole gradients, then what changes, in the draw
where it changes more.
"""
_WHY = """**Why they differ.** A projected product of two rows is off by some √(2/K) of
their lengths in each block, and by less where blocks add up. A ranking stands that
where rows are alike or opposed, as with two classes, and not where most products are
small beside the lengths, as with many kinds of rows: the median |cosine| above says
which. `exact` divides by the directions in which rows hardly differ, and there the
error is larger than what it divides. Rounding to int8 is a far smaller error, so it
costs nothing beside; and a width of half a side or more buys little for a large one."""


def facts_key(unit: Key) -> dict[str, Any]:
    """Name the cell with the facts of an adapter."""
    return {**unit, "scores": "facts"}


def page(
    records: Records, units: Sequence[Key], cells: Sequence[dict[str, Any]]
) -> str:
    """Write the page.

    Args:
        records: What was measured; cells that are not there are passed over.
        units: The adapters.
        cells: Variants and methods of each.

    Returns:
        Markdown.
    """
    sections, sentences = [], []
    for unit in units:
        found = _gathered(records, [{**unit, **cell} for cell in cells])
        name, facts = NAMES[unit["dataset"]], records[facts_key(unit)]
        said = (
            f"{facts['rows']} rows, {facts['queries']} queries; {facts['numbers']:,} "
            f"numbers in {facts['blocks']} blocks; median |cosine| of a query and a "
            f"row {share(facts['cosine'])}."
        )
        sections += [f"## {name}", said, _fidelity(found), _detection(found)]
        sentences += [f"- {name}: {_best(found)}."]
    made = "\n\n".join(records.makers([facts_key(unit) for unit in units]))
    command = (
        "python -m benchmarks.bench_frontier --data-dir DATA --publish docs/results"
    )
    return (
        "\n\n".join(
            [
                _INTRO.strip(),
                f"## The smallest store with a mean ρ of at least {share(BAR)}",
                "\n".join(sentences),
                *sections,
                _WHY,
                f"```\n{command}\n```",
                made + "; other work ran beside it, which changes no number here.",
            ]
        )
        + "\n"
    )


def _gathered(records: Records, keys: Sequence[Key]) -> Found:
    """Bring the draws of a variant together."""
    draws: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
    for key in keys:
        result = records.get(key)
        if result is not None:
            width = "whole" if key["project"] is None else str(key["project"])
            variant = draws.setdefault((width, key["dtype"]), {})
            variant.setdefault(key["scores"], []).append(result)
    return {
        variant: {
            method: {
                "smaller": results[0]["smaller"],
                "mean": sum(r["mean"] for r in results) / len(results),
                "worst": min(r["worst"] for r in results),
                "auc": results[0]["auc_whole"],
                "change": max((r["auc"] - r["auc_whole"] for r in results), key=abs),
            }
            for method, results in methods.items()
        }
        for variant, methods in draws.items()
    }


def _lines(found: Found) -> list[tuple[list[str], dict[str, dict[str, float]]]]:
    """Begin each line of a table: the variant and its size."""
    return [
        ([*variant, f"{next(iter(methods.values()))['smaller']:.3g}"], methods)
        for variant, methods in found.items()
    ]


def _fidelity(found: Found) -> str:
    methods = list(next(iter(found.values())))
    rows = [
        [
            *start,
            *(f"{share(m[n]['mean'])} ({share(m[n]['worst'])})" for n in methods),
        ]
        for start, m in _lines(found)
    ]
    head = ["project", "dtype", "times smaller", *(f"`{n}`" for n in methods)]
    return markdown_table(head, rows)


def _detection(found: Found) -> str:
    methods = list(next(iter(found.values())))
    whole = next(iter(found.values()))
    rows = [["whole", "fp32", "1", *(share(whole[n]["auc"]) for n in methods)]]
    rows += [
        [*start, *(_signed(m[n]["change"]) for n in methods)]
        for start, m in _lines(found)[1:]
    ]
    head = ["AUC", "dtype", "times smaller", *(f"`{n}`" for n in methods)]
    return markdown_table(head, rows)


def _signed(change: float) -> str:
    """Write a change with its sign."""
    text = share(change)
    return text if text.startswith("−") or text == ".000" else f"+{text}"


def _best(found: Found) -> str:
    """Say, for each method, what the smallest store above the bar is."""
    said = []
    for method in next(iter(found.values())):
        passing = [
            (methods[method]["smaller"], methods[method]["mean"], variant)
            for variant, methods in found.items()
            if methods[method]["mean"] >= BAR
        ]
        smaller, mean, (width, dtype) = max(passing)
        how = dtype if width == "whole" else f"project={width}, {dtype}"
        said.append(f"`{method}` {smaller:.3g}× ({how}; {share(mean)})")
    return ", ".join(said)
