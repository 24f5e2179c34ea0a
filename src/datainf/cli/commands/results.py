"""`top`, `report`, `inspect`, `verify`: commands that look at what is there."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from datainf.cli.console import complain, tell
from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, write_facts, write_table
from datainf.core.errors import OptionError

if TYPE_CHECKING:
    from datainf.core.records import Scores


def top(given: Given) -> None:
    """List the training examples that matter most to each query."""
    style = format_of(given)
    from datainf.core.records import Scores

    scores = Scores.load(_scores_folder(given.argument or ""))
    if given["group_by"] is not None:
        from datainf.workflows.groups import influence_of_groups

        if given["order"] is not None or given["k"] is not None:
            raise OptionError(
                "--group-by lists every group; leave --k and --order out."
            )
        found = influence_of_groups(
            scores,
            given["group_by"],
            rows=given["rows"],
            reduce=given["reduce"] or "sum",
            query=given["query"],
        )
        write_table(found, style)
        return
    if given["rows"] is not None or given["reduce"] is not None:
        raise OptionError("--rows and --reduce belong to --group-by; give it too.")
    found = scores.top(
        10 if given["k"] is None else given["k"],
        given["order"] or "proponents",
        query=given["query"],
    )
    if style is Format.TABLE:
        _say_whose(scores, found["query"].unique().tolist())
    write_table(found, style)


def _say_whose(scores: "Scores", queries: list[object]) -> None:
    """Say what the listed queries were, and what the sign of a score means."""
    if "text" in scores.queries:
        texts = dict(zip(scores.queries["index"], scores.queries["text"], strict=True))
        for one in queries:  # numbers, or what a mean was taken of
            # On one line, with every space: a completion's first one counts.
            tell(f"query {one}: {' '.join(str(texts[one]).splitlines())}")
    tell(
        "negative: training on the row made the query's output likelier (a proponent); "
        "positive: less likely. Numbers compare within one query."
    )


def report(given: Given) -> None:
    """Write scores as one HTML file that needs nothing else."""
    from datainf.core.records import Scores
    from datainf.workflows.report import report as write

    folder = _scores_folder(given.argument or "")
    scores = Scores.load(folder)
    from datainf.core.pictures import Pictures
    from datainf.core.token_scores import TokenScores

    tokens = folder.parent / "tokens.parquet"
    drawn = folder.parent / "pictures.parquet"
    file = write(
        scores,
        given["report_file"] or folder / "report.html",
        k=10 if given["k"] is None else given["k"],
        title=given["title"],
        tokens=TokenScores.load(tokens) if tokens.is_file() else None,
        pictures=Pictures.load(drawn) if drawn.is_file() else None,
    )
    write_facts({"report": file}, Format.TABLE)


def inspect(given: Given) -> None:
    """Say what a gradient store or a folder of scores holds."""
    style = format_of(given)
    path = Path(given.argument or "")
    if (path / "scores.json").is_file():
        from datainf.core.records import Scores

        scores = Scores.load(path)
        q, n = scores.values.shape
        made = scores.provenance
        write_facts(
            {
                "path": path,
                "queries": q,
                "examples": n,
                "groups": len(scores.groups),
                "method": made.method,
                "options": dict(made.options),
                "notes": list(made.notes),
                "sources": dict(made.sources),
                "library_version": made.version,
            },
            style,
        )
        return
    from datainf.store.excluded import excluded_in, said
    from datainf.store.facts import describe_store

    _refuse_run(path)
    facts = describe_store(path)
    if style is Format.TABLE:
        rows, excluded = facts.pop("coverage"), facts.pop("excluded")
        facts["excluded"] = said(excluded_in(excluded)) if excluded else "no example"
        write_facts({**facts, "coverage": f"{len(rows)} tensors"}, style)
        typer.echo()
        import pandas as pd

        write_table(pd.DataFrame(rows), style)
        return
    write_facts(facts, style)


def verify(given: Given) -> None:
    """Read a store to the last byte and say everything that is wrong with it."""
    style = format_of(given)
    from datainf.store.verify import verify as check

    _refuse_run(Path(given.argument or ""))
    found = check(given.argument or "")
    write_facts(
        {
            "path": found.path,
            "shards": found.shards,
            "rows": found.rows,
            "bytes": found.bytes,
            "faults": list(found.faults) if style is Format.JSON else len(found.faults),
        },
        style,
    )
    for fault in found.faults:
        complain("error", fault)
    if not found.ok:
        raise typer.Exit(2)
    tell("every byte is as it was written")


def _refuse_run(path: Path) -> None:
    """Point to the stores and scores in the folder of a run."""
    inside = sorted(
        str(head.parent)
        for name in ("manifest.json", "scores.json")
        for head in path.glob(f"*/{name}")
    )
    if inside and not (path / "manifest.json").is_file():
        raise OptionError(
            f"{path} is the folder of a run; give one of: {', '.join(inside)}."
        )


def _scores_folder(path: str) -> Path:
    """Find the scores: the folder itself, or `scores` in the folder of a run."""
    folder = Path(path)
    inner = folder / "scores"
    if not (folder / "scores.json").is_file() and (inner / "scores.json").is_file():
        return inner
    if folder.is_dir() and not (folder / "scores.json").is_file():
        runs = sorted(str(head.parents[1]) for head in folder.glob("*/scores/*.json"))
        if runs:
            raise OptionError(
                f"{path} is a folder of runs; give one of: {', '.join(runs)}."
            )
    return folder
