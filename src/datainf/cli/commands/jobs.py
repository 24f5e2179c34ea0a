"""`train`, `attribute`, `mislabeled`, `collect`, `score`: the commands that work."""

from typing import Any

import typer

from datainf.cli.config import config_of
from datainf.cli.console import Bars, stderr
from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, write_facts, write_table
from datainf.core.errors import OptionError

_SHOWN = 10


def train(given: Given) -> None:
    """Train a LoRA adapter from a recipe; leaves a run.yaml beside it."""
    config = config_of(given, adapted=False)
    from datainf.workflows.training import train_run

    folder = train_run(config, Bars())
    write_facts({"adapter": folder, "run": folder / "run.yaml"}, Format.TABLE)


def attribute(given: Given) -> None:
    """Find the training examples that taught the model these outputs."""
    style, k = format_of(given), _count(given)
    config = config_of(given)
    if (given["prompt"] is None) != (given["completion"] is None):
        raise OptionError("--prompt and --completion go together; one came alone.")
    from datainf.workflows import runs

    if given["dry_run"]:
        _write_estimates(runs.estimate_run(config, Bars()), style)
        return
    if given["prompt"] is not None:
        config = runs.with_query(config, given["prompt"], given["completion"])
    found = runs.attribute_run(config, Bars())
    _notes(found.scores.provenance.notes)
    write_table(found.scores.top(k, given["order"] or "proponents"), style)
    stderr().print(f"report: {found.report}", markup=False)


def mislabeled(given: Given) -> None:
    """Rank the training rows that are most likely wrong."""
    style, k = format_of(given), _count(given)
    config = config_of(given)
    from datainf.workflows import runs

    if given["dry_run"]:
        _write_estimates(runs.estimate_run(config, Bars()), style)
        return
    found = runs.mislabeled_run(config, Bars())
    _notes(found.scores.provenance.notes)
    best = found.ranking.head(k)
    if style is Format.JSON:
        rows: list[dict[str, Any]] = best.to_dict(orient="records")
        write_facts({"ranking": rows, "measured": dict(found.measured)}, style)
        return
    write_table(best, style)
    if found.measured and style is Format.TABLE:
        typer.echo()
        write_facts(found.measured, style)
    stderr().print(
        f"all rows: {config.out}/{runs.RANKING}; report: {config.out}/{runs.REPORT}",
        markup=False,
    )


def collect(given: Given) -> None:
    """Gather the gradients of one data set into a store."""
    style = format_of(given)
    config = config_of(given)
    from datainf.store.facts import describe_store
    from datainf.workflows import runs

    if given["dry_run"]:
        _write_estimates(runs.estimate_run(config, Bars()), style)
        return
    store = runs.collect_run(config, Bars())
    facts = describe_store(store.path)
    names = ("path", "rows", "blocks", "parameters", "dtype", "bytes", "shards")
    write_facts({name: facts[name] for name in names}, style)


def score(given: Given) -> None:
    """Score the training examples of one store for the queries of another."""
    style, k = format_of(given), _count(given)
    config = config_of(given, adapted=False)
    from datainf.workflows.runs import score_run

    scores = score_run(config)
    _notes(scores.provenance.notes)
    write_table(scores.top(k, given["order"] or "proponents"), style)
    stderr().print(f"scores: {config.out}", markup=False)


def _count(given: Given) -> int:
    """Read `--k`, before any work."""
    k = _SHOWN if given["k"] is None else int(given["k"])
    if k < 1:
        raise OptionError(f"--k must be at least 1, got {k}.")
    return k


def _write_estimates(estimates: dict[str, Any], style: Format) -> None:
    """Write what a run would need, a line a data set."""
    if style is Format.TABLE:
        for name, found in estimates.items():
            write_facts({name: ""}, style)
            write_facts(found.facts(), style)
        return
    write_facts({name: found.facts() for name, found in estimates.items()}, style)


def _notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        stderr().print(f"note: {note}", markup=False)
