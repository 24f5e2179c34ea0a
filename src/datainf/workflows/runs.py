"""Whole runs, from run.yaml to a folder of results: what each command of the CLI calls.

out/run.yaml        replays the run
out/train/          gradients of the training examples
out/checkpoint-*/   the same at each checkpoint, where a run is over several
out/queries-*/      gradients of the queries, or of the validation examples
out/curvature-*/    gradients at labels drawn from the model (--fisher sampled only)
out/scores/         the scores
out/tokens.parquet  the strongest pairs token by token (with --tokens only)
out/pictures.parquet  small images of the strongest rows (tasks of images only)
out/report.html     what a person reads
out/mislabeled.csv  every row, most suspicious first (mislabeled only)
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import OptionError
from datainf.core.options import Fisher, Output
from datainf.core.records import HEAD, Scores
from datainf.core.run_config import DataConfig, RunConfig
from datainf.integrations.ranks import ALONE, Ranks
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.store.reader import GradientStore
from datainf.workflows.asked_row import asked_row
from datainf.workflows.attribute import check_scoring, take_fisher, wanted_factors
from datainf.workflows.borders import border_note
from datainf.workflows.checkpoints import (
    chosen_checkpoints,
    gathered,
    refuse_checkpoints,
)
from datainf.workflows.collect import collect, collect_estimate
from datainf.workflows.collect_together import collect_together
from datainf.workflows.data import load_rows, require_data
from datainf.workflows.drawn_queries import drawn_queries
from datainf.workflows.estimate import Estimate
from datainf.workflows.groups import group_facts, require_column, with_columns
from datainf.workflows.mislabeled import SHOWN, Suspects, explained, mislabeled
from datainf.workflows.pair import Pair
from datainf.workflows.pictures import keep_pictures
from datainf.workflows.progress import Logged, Reporter
from datainf.workflows.report import report
from datainf.workflows.run_file import RUN_FILE, write_run
from datainf.workflows.score import score
from datainf.workflows.score_together import score_together
from datainf.workflows.scoring import scoring_of, sources_of
from datainf.workflows.spreadsheet import write_for_people
from datainf.workflows.subject import load_subject
from datainf.workflows.token_scores import (
    Subjects,
    require_token_task,
    score_tokens,
    strongest,
)

# What says that a folder is an adapter's or a store's; their run.yaml is not ours.
_OTHERS = ("adapter_config.json", "manifest.json")
SCORES, REPORT, RANKING = "scores", "report.html", "mislabeled.csv"
TOKENS = "tokens.parquet"


@dataclass(frozen=True)
class Attributed:
    """Results of `datainf attribute`.

    Attributes:
        scores: The scores.
        report: The HTML file.
    """

    scores: Scores
    report: Path


def attribute_run(config: RunConfig, progress: Reporter | None = None) -> Attributed:
    """Collect, score, save and report.

    Args:
        config: The run.
        progress: Told how far it is.

    Returns:
        Scores and report.

    Raises:
        OptionError: If tokens are asked for over checkpoints.
    """
    reporter = progress or Logged()
    data = require_data(config.train, "training data", "--train")
    asked = require_data(config.queries, "queries", "--queries")
    _require_no_store(config)
    scoring_of(config.score)
    _require_own_folder(config.out)
    subject = load_subject(config)
    train = load_rows(data, subject.task)
    queries = load_rows(asked, subject.task)
    require_column(config.group_by, train.dataset)
    if note := border_note(subject.task, train.dataset, queries.dataset):
        reporter.say(f"note: {note}")
    if config.tokens is not None:
        require_token_task(subject.task, config.collect.output)
    options = scoring_of(config.score)
    estimator = check_scoring(config.score.method, options)
    saved = chosen_checkpoints(
        estimator, config.checkpoints, config.checkpoint_limit, adapter=config.adapter
    )
    if config.tokens is not None and saved is not None:
        raise OptionError(
            "tokens are scored at one state of the adapter; leave tokens or the "
            "checkpoints out."
        )
    fisher = take_fisher(options, estimator, config.collect, over=saved is not None)
    out, tokens = Path(config.out), None
    asking = drawn_queries(
        subject.model, subject.task, queries.dataset, out, progress=reporter
    )
    queries = replace(queries, dataset=asking)
    with gathered(
        subject.model,
        train.dataset,
        queries.dataset,
        subject.task,
        saved,
        estimator,
        cache=out,
        progress=reporter,
        fisher=fisher,
        **{**asdict(config.collect), **wanted_factors(estimator)},
    ) as stores:
        scores = score(**stores.sources, method=config.score.method, **options)
        if config.tokens is not None and isinstance(stores, Pair):
            tokens = score_tokens(
                Subjects(
                    subject.model,
                    require_token_task(subject.task, config.collect.output),
                    train.dataset,
                    queries.dataset,
                    parameters=str(config.collect.parameters),
                ),
                stores,
                scores,
                estimator,
                strongest(scores, config.tokens),
                reporter,
            )
    scores = with_columns(scores, config.group_by, train.dataset, queries.dataset)
    scores.save(out / SCORES)
    drawn = keep_pictures(out, scores, subject.task, train.dataset, queries.dataset)
    if tokens is not None:
        tokens.save(out / TOKENS)
    else:  # of an earlier run into this folder
        (out / TOKENS).unlink(missing_ok=True)
    write_run(config, out)
    facts = group_facts(scores, config.group_by)
    written = report(scores, out / REPORT, facts=facts, tokens=tokens, pictures=drawn)
    return Attributed(scores, written)


def mislabeled_run(config: RunConfig, progress: Reporter | None = None) -> Suspects:
    """Collect, score against the validation data, rank and save.

    Args:
        config: The run; `queries` is the validation data, if there is any.
        progress: Told how far it is.

    Returns:
        The ranking and, where wrong rows are known, how good it is.
    """
    data = require_data(config.train, "training data", "--train")
    _require_no_store(config)
    scoring_of(config.score)
    _require_own_folder(config.out)
    subject = load_subject(config)
    train = load_rows(data, subject.task)
    validation = None
    if config.queries is not None and config.queries.data:
        validation = load_rows(config.queries, subject.task).dataset
    require_column(config.group_by, train.dataset)
    estimator = check_scoring(config.score.method, scoring_of(config.score))
    saved = chosen_checkpoints(
        estimator,
        config.checkpoints,
        config.checkpoint_limit,
        adapter=None if validation is None else config.adapter,
    )
    out = Path(config.out)
    found = mislabeled(
        subject.model,
        train.dataset,
        validation,
        subject.task,
        method=config.score.method,
        cache=out,
        wrong=train.wrong,
        checkpoints=saved,
        progress=progress or Logged(),
        **asdict(config.collect),
        **scoring_of(config.score),
    )
    scores = with_columns(found.scores, config.group_by, train.dataset)
    found = replace(found, scores=scores)
    found.scores.save(out / SCORES)
    drawn = keep_pictures(out, scores, subject.task, train.dataset, k=SHOWN)
    write_for_people(found.ranking, out / RANKING)
    report(
        found.scores,
        out / REPORT,
        title="Training rows that may be wrong",
        highlights=explained(found),
        facts={**found.measured, **group_facts(scores, config.group_by)},
        pictures=drawn,
    )
    write_run(config, out)
    return found


def collect_run(
    config: RunConfig, progress: Reporter | None = None, ranks: Ranks = ALONE
) -> GradientStore | None:
    """Collect the gradients of one data set.

    Args:
        config: The run; `train` is the data and `out` the store's folder.
        progress: Told how far it is.
        ranks: The processes that work on it, each called with the same run.

    Returns:
        The store; None in processes that do not lead.
    """
    with ranks.step():
        data = require_data(config.train, "data", "--data")
        refuse_checkpoints(config, "datainf collect")
        subject = load_subject(config)
        rows = load_rows(data, subject.task).dataset
    how = {"out": config.out, "progress": progress, **asdict(config.collect)}
    if ranks.count > 1:
        store = collect_together(subject.model, rows, subject.task, ranks=ranks, **how)
    else:
        store = collect(subject.model, rows, subject.task, **how)
    if store is None:
        return None
    # Beside the store, however its folder was written: nothing foreign lies in it.
    write_run(config, f"{Path(config.out)}.run.yaml")
    return store


def score_run(config: RunConfig, ranks: Ranks = ALONE) -> Scores | None:
    """Score two stores and save.

    Args:
        config: The run; `train.data`, `queries.data` and `curvature.data` are the
            stores' folders, the last need not be given.
        ranks: The processes that work on it, each called with the same run.

    Returns:
        The scores; None in processes that do not lead.
    """
    with ranks.step():
        stores, options = sources_of(config), scoring_of(config.score)
        _require_own_folder(config.out, beside=HEAD)
    if ranks.count > 1:
        scores = score_together(
            **stores, ranks=ranks, method=config.score.method, **options
        )
    else:
        scores = score(**stores, method=config.score.method, **options)
    if not ranks.leads:
        return None
    scores.save(config.out)
    write_run(config, config.out)
    return scores


def _require_no_store(config: RunConfig) -> None:
    """Refuse a store of the curvature in a run that collects its own."""
    if config.curvature is not None:
        raise OptionError(
            f"curvature.data={config.curvature.data!r} is a store, which `datainf "
            "score` takes; here fisher='sampled' (--fisher sampled) collects one."
        )


def _require_own_folder(out: str, *, beside: str | None = None) -> None:
    """Refuse to lay a run's files and its run.yaml over those of something else.

    Args:
        out: The run's folder.
        beside: A file that says that a run.yaml there is of the same kind; any when
            not given.

    Raises:
        OptionError: If an adapter, a store or a run of another kind lies there.
    """
    folder = Path(out)
    held = [name for name in _OTHERS if (folder / name).is_file()]
    if beside is not None and not (folder / beside).is_file():
        held += [name for name in (RUN_FILE,) if (folder / name).is_file()]
    if held:
        raise OptionError(
            f"{folder} holds {held[0]} of something else; give --out a folder of its "
            "own."
        )


def estimate_run(
    config: RunConfig, progress: Reporter | None = None
) -> dict[str, Estimate]:
    """Tell what a run would need, without writing anything.

    Args:
        config: The run.
        progress: Told the coverage and warnings.

    Returns:
        `train` and, where the run has them, `queries` and the `curvature` at drawn
        labels -> what collecting them needs.
    """
    data = require_data(config.train, "training data", "--train")
    estimator = check_scoring(config.score.method, scoring_of(config.score))
    options, drawn = config.collect, config.score.fisher == Fisher.SAMPLED
    options = replace(options, factors=options.factors or estimator.needs_factors)
    own = replace(options, samples=1, sample_seed=0) if drawn else options
    bare = replace(own, factors=False)
    # Factors are those of the curvature's rows.
    parts = {"train": (data, bare if drawn else own)}
    if config.queries is not None and config.queries.data:
        parts["queries"] = (config.queries, bare)
    if drawn:
        parts["curvature"] = (data, replace(options, output=Output.SAMPLED))
    saved = chosen_checkpoints(
        estimator,
        config.checkpoints,
        config.checkpoint_limit,
        adapter=config.adapter if "queries" in parts else None,
    )
    each = "" if saved is None else f" at each of {len(saved)} checkpoints"
    subject = load_subject(config)
    return {
        f"{name}{each}": collect_estimate(
            subject.model,
            load_rows(part, subject.task).dataset,
            subject.task,
            progress=progress or Logged(),
            **asdict(how),
        )
        for name, (part, how) in parts.items()
    }


def with_query(
    config: RunConfig, prompt: str, completion: str | None = None
) -> RunConfig:
    """Make "this prompt, this output" the run's one query; of a picture the prompt.

    Args:
        config: The run; the query is written into its folder, so that it can be
            replayed.
        prompt: What the model was given.
        completion: What it answered; None for text-to-image, which draws it.

    Returns:
        The run with that query.

    Raises:
        OptionError: If the run has queries already.
    """
    if config.queries is not None:
        raise OptionError(
            f"--prompt came beside the queries {config.queries.data}; give one of them."
        )
    kind = config.task.get("name", "causal-lm")
    pictured = kind == TextToImage.name
    if (completion is None) != pictured:
        raise OptionError(
            "--prompt and --completion go together for a language model; for a picture "
            "give --prompt alone, with --task text-to-image."
        )
    if kind not in ("causal-lm", "seq2seq") and not pictured:
        raise OptionError(
            f"--prompt asks a language model, and the task is {kind}; give --queries "
            "FILE with rows like those of the training data."
        )
    row = (
        {config.task.get("text_column", "text"): prompt}
        if completion is None
        else asked_row(config, prompt, completion)
    )
    file = Path(config.out) / f"query-{sha256_of(row)[:8]}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(canonical_json([row]), encoding="utf-8")
    return replace(config, queries=DataConfig(data=str(file)))
