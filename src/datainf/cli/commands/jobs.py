"""`train`, `attribute`, `mislabeled`, `collect`, `score`: the commands that work."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from datainf.cli.config import config_of
from datainf.cli.console import Bars, tell
from datainf.cli.flags import Given
from datainf.cli.output import Format, format_of, heading, write_facts, write_table
from datainf.cli.together import reporter_of, together
from datainf.core.errors import OptionError
from datainf.core.launch import Launch
from datainf.core.options import Order, word

if TYPE_CHECKING:
    from datainf.core.records import Scores

_SHOWN = 10


def train(given: Given) -> None:
    """Train a LoRA adapter from a recipe; leaves a run.yaml beside it."""
    config = config_of(given, adapted=False, out="runs/adapter")
    from datainf.workflows.training import train_run

    folder = train_run(config, Bars())
    write_facts({"adapter": folder, "run": folder / "run.yaml"}, Format.TABLE)


def attribute(given: Given) -> None:
    """Find the training examples that taught the model these outputs."""
    style, k, order = format_of(given), _count(given), _order(given)
    config = config_of(given)
    if given["prompt"] is None and given["completion"] is not None:
        raise OptionError("--completion belongs to a --prompt; it came alone.")
    from datainf.workflows import runs

    if given["dry_run"]:
        _write_estimates(runs.estimate_run(config, Bars()), style)
        return
    if given["prompt"] is not None:
        config = runs.with_query(config, given["prompt"], given["completion"])
    found = runs.attribute_run(config, Bars())
    _notes(found.scores)
    write_table(found.scores.top(k, order), style)
    if config.group_by is not None:
        tell(f"groups: datainf top {config.out} --group-by {config.group_by}")
    tell(f"report: {found.report}")


def mislabeled(given: Given) -> None:
    """Rank the training rows that are most likely wrong."""
    style, k = format_of(given), _count(given)
    config = config_of(given)
    from datainf.workflows import runs

    if given["dry_run"]:
        _write_estimates(runs.estimate_run(config, Bars()), style)
        return
    found = runs.mislabeled_run(config, Bars())
    _notes(found.scores)
    best = found.ranking.head(k)
    if style is Format.JSON:
        rows = best.to_dict(orient="records")
        write_facts({"ranking": rows, "measured": dict(found.measured)}, style)
        return
    write_table(best, style)
    if found.measured and style is Format.TABLE:
        typer.echo()
        write_facts(found.measured, style)
    tell(f"all rows: {config.out}/{runs.RANKING}; report: {config.out}/{runs.REPORT}")


def collect(given: Given) -> None:
    """Gather the gradients of one data set into a store."""
    with together(given) as ranks:
        with ranks.step():
            style = format_of(given)
            config = config_of(given)
            if given["dry_run"]:
                Launch.read().require_alone("datainf collect --dry-run")
        from datainf.store.facts import describe_store
        from datainf.workflows import runs

        if given["dry_run"]:
            _write_estimates(runs.estimate_run(config, Bars()), style)
            return
        store = runs.collect_run(config, reporter_of(ranks), ranks)
    if store is None:
        return
    facts = describe_store(store.path)
    names = ("path", "rows", "blocks", "parameters", "dtype", "bytes", "shards")
    write_facts({name: facts[name] for name in names}, style)


def score(given: Given) -> None:
    """Score the training examples of one store for the queries of another."""
    with together(given) as ranks:
        with ranks.step():
            style, k, order = format_of(given), _count(given), _order(given)
            config = config_of(given, adapted=False)
        from datainf.workflows.runs import score_run

        scores = score_run(config, ranks)
    if scores is None:
        return
    _notes(scores)
    write_table(scores.top(k, order), style)
    tell(f"scores: {config.out}")


def search(given: Given) -> None:
    """List the examples of a large store that matter most, without scoring all."""
    style, k, order = format_of(given), _count(given), _order(given)
    config = config_of(given, adapted=False)
    from datainf.workflows.scoring import scoring_of, sources_of
    from datainf.workflows.search import search as find

    sources, options = sources_of(config), scoring_of(config.score)
    del options["keep_blocks"]  # no score is kept
    found = find(**sources, k=k, order=order, method=config.score.method, **options)
    write_table(found, style)


def _count(given: Given) -> int:
    """Read `--k`, before any work."""
    k = _SHOWN if given["k"] is None else int(given["k"])
    if k < 1:
        raise OptionError(f"--k must be at least 1, got {k}.")
    return k


def _order(given: Given) -> Order:
    """Read `--order`, before any work."""
    return word(Order, given["order"] or Order.PROPONENTS, "--order")


def _write_estimates(estimates: dict[str, Any], style: Format) -> None:
    """Write what a run would need: in words for people, in numbers for programs."""
    if style is Format.TABLE:
        for name, found in estimates.items():
            heading(name)
            write_facts(found.facts(), style)
        return
    numbers = {name: asdict(found) for name, found in estimates.items()}
    if style is Format.JSON:
        write_facts(numbers, style)
        return
    import pandas as pd

    rows = [{"data": name, **found} for name, found in numbers.items()]
    write_table(pd.DataFrame(rows), style)


def _notes(scores: "Scores") -> None:
    """Say what the method says of its work, and how alike `exact` ranks."""
    from datainf.reports.wording import agreement_sentence

    for note in scores.provenance.notes:
        tell(f"note: {note}")
    agreement = agreement_sentence(scores)
    if agreement:
        tell(agreement)
