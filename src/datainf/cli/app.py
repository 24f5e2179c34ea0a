"""The commands: name, body, flags. Bodies import what they need when they run."""

from collections.abc import Callable
from typing import Annotated

import typer

from datainf.__about__ import __version__
from datainf.cli.clean_flags import FOR_CLEAN, FOR_SELECT
from datainf.cli.commands import (
    about,
    curate,
    evaluate,
    jobs,
    reproduce,
    results,
    ui,
)
from datainf.cli.evaluate_flags import FOR_EVALUATE
from datainf.cli.flag_table import (
    FOR_BASE,
    FOR_COLLECT,
    FOR_RANKS,
    FOR_RECIPE,
    FOR_TASK,
    FOR_TRAIN,
)
from datainf.cli.flags import Given, bind
from datainf.cli.score_flags import FOR_SCORE, FOR_SEARCH
from datainf.cli.study_flags import FOR_JUDGING, FOR_STUDY
from datainf.cli.together import alone

app = typer.Typer(
    name="datainf",
    help="Which training examples made a LoRA-tuned model behave as it does.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"datainf {__version__}")
        raise typer.Exit
    return wanted  # typer makes it the flag's value


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and stop.",
        ),
    ] = False,
) -> None:
    """Which training examples made a LoRA-tuned model behave as it does."""


def _add(
    name: str,
    body: Callable[[Given], None],
    flags: tuple[str, ...],
    argument: str | None = None,
    to: typer.Typer = app,
) -> None:
    body = body if "world_size" in flags else alone(body)
    to.command(name)(bind(body, (*flags, "traceback"), argument))


_SUBJECT = (*FOR_BASE, "adapter", *FOR_TASK)
_QUERIES = ("queries", "queries_split", "queries_limit")
_VALIDATION = ("validation", "queries_split", "queries_limit")

_add("demo", about.demo, ("out", "format"))
_add(
    "train",
    jobs.train,
    (
        *FOR_BASE,
        *FOR_TASK,
        *FOR_TRAIN,
        *FOR_RECIPE,
        "adapter_folder",
    ),
    "[RUN.yaml]",
)
_add(
    "attribute",
    jobs.attribute,
    (
        *_SUBJECT,
        *FOR_TRAIN,
        *_QUERIES,
        "prompt",
        "completion",
        *FOR_COLLECT,
        *FOR_SCORE,
        "fisher",
        "checkpoints",
        "checkpoint_limit",
        "group_by",
        "tokens",
        "out",
        "k",
        "order",
        "format",
        "dry_run",
    ),
    "[RUN.yaml]",
)
_add(
    "mislabeled",
    jobs.mislabeled,
    (
        *_SUBJECT,
        *FOR_TRAIN,
        *_VALIDATION,
        *FOR_COLLECT,
        *FOR_SCORE,
        "fisher",
        "checkpoints",
        "checkpoint_limit",
        "group_by",
        "out",
        "k",
        "format",
        "dry_run",
    ),
    "[RUN.yaml]",
)
_add("clean", curate.clean, (*FOR_CLEAN, "k", "format"), "RUN")
_add("select", curate.select, (*FOR_SELECT, "k", "format"), "RUN")
_add(
    "collect",
    jobs.collect,
    (
        *_SUBJECT,
        *FOR_TRAIN,
        *FOR_COLLECT,
        "store_folder",
        *FOR_RANKS,
        "format",
        "dry_run",
    ),
    "[RUN.yaml]",
)
_add(
    "score",
    jobs.score,
    (
        "train_store",
        "query_store",
        "curvature",
        *FOR_SCORE,
        "scores_folder",
        *FOR_RANKS,
        "k",
        "order",
        "format",
    ),
    "[RUN.yaml]",
)
_add(
    "search",
    jobs.search,
    (
        "train_store",
        "query_store",
        "curvature",
        *FOR_SEARCH,
        "k",
        "order",
        "format",
    ),
)
_add(
    "top",
    results.top,
    ("k", "order", "query", "group_by", "rows", "reduce", "format"),
    "SCORES",
)
_add("report", results.report, ("report_file", "k", "title"), "SCORES")
_add("ui", ui.ui, ("port", "host", "open"), "RUN")
_add("inspect", results.inspect, ("format",), "FOLDER")
_add("verify", results.verify, ("format",), "STORE")
_add("methods", about.methods, ("format",))
_add("doctor", about.doctor, (*_SUBJECT, "train", "split", "queries", "format"))

studies = typer.Typer(
    help="Reproduce the paper's experiments, and what retraining says of them."
)
app.add_typer(studies, name="reproduce")
for _name, _body, _also in (
    ("theorem", reproduce.theorem, ""),
    ("mislabeled", reproduce.mislabeled, "workers"),
    ("approximation", reproduce.approximation, "workers"),
    ("text-generation", reproduce.text_generation, "workers"),
    ("text-to-image", reproduce.text_to_image, "workers"),
    ("filtered", reproduce.filtered, "keep workers"),
):
    _flags = ("model", *FOR_STUDY, *_also.split(), "epochs", "out", "format")
    _add(_name, _body, _flags, to=studies)
_add(
    "counterfactual",
    reproduce.counterfactual,
    ("model", *FOR_JUDGING, "subsets", "twins", "workers", "out", "format"),
    to=studies,
)

judge = typer.Typer(
    cls=evaluate.LdsUnlessNamed,
    help="Judge scores by retraining: lds (unless named), loo or prune.",
)
app.add_typer(judge, name="evaluate")
for _name, _body, _own in (
    ("lds", evaluate.lds, ("remove", "batch_order", "subsets", "twins")),
    ("loo", evaluate.loo, ("example", "batch_order", "subsets", "twins")),
    ("prune", evaluate.prune, ("drop", "each", "batch_order", "subsets")),
):
    _add(
        _name,
        _body,
        (
            *_SUBJECT,
            *FOR_TRAIN,
            *_QUERIES,
            *FOR_RECIPE,
            *FOR_COLLECT,
            *FOR_EVALUATE,
            *_own,
            "out",
            "format",
        ),
        "[RUN.yaml]",
        judge,
    )
